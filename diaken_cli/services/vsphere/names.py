"""Names as vSphere stores them: the per cent sign and both slashes come escaped from its API."""

_ESCAPED = (("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\"), ("%25", "%"))


def unescape(name: str) -> str:
    """The name that a person gave ("a/b" for "a%2fb"); see ManagedEntity.name in the API."""
    for code, character in _ESCAPED:  # %25 comes last: it may stand before "2f"
        name = name.replace(code, character)
    return name
