"""Names and other texts as vSphere has them, made fit to be kept and shown."""

from diaken_cli import bounds
from diaken_cli.text import escape_control

_ESCAPED = (("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\"), ("%25", "%"))


def unescape(name: str) -> str:
    """The name that a person gave ("a/b" for "a%2fb"); see ManagedEntity.name in the API.

    The per cent sign and both slashes come escaped. As one line, see `bounded_line`.
    """
    name = bounded_line(name)
    for code, character in _ESCAPED:  # %25 comes last: it may stand before "2f"
        name = name.replace(code, character)
    return name


def bounded_line(text: str) -> str:
    """A text as a line of bounded length, with what would move a cursor or turn a line written out.

    Whoever may name a VM or a tag could else write lines of a list, a log or a mail. No name of
    vSphere has such characters where nobody put them there for that.
    """
    if len(text) > bounds.VCENTER_NAME:
        text = text[: bounds.VCENTER_NAME - 1] + "…"
    return escape_control(text, lines=False)
