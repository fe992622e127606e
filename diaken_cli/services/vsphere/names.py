"""Names as vSphere stores them: the per cent sign and both slashes come escaped from its API."""

from diaken_cli import bounds

_ESCAPED = (("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\"), ("%25", "%"))


def unescape(name: str) -> str:
    """The name that a person gave ("a/b" for "a%2fb"); see ManagedEntity.name in the API."""
    name = shortened(name)
    for code, character in _ESCAPED:  # %25 comes last: it may stand before "2f"
        name = name.replace(code, character)
    return name


def shortened(text: str) -> str:
    """As much of a text as a name or a path can be: what is kept and shown has an end."""
    return text if len(text) <= bounds.VCENTER_NAME else text[: bounds.VCENTER_NAME - 1] + "…"
