"""Names and other texts as vSphere has them, made fit to be kept and shown."""

import re

from diaken_cli import bounds

_ESCAPED = (("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\"), ("%25", "%"))
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def unescape(name: str) -> str:
    """The name that a person gave ("a/b" for "a%2fb"); see ManagedEntity.name in the API.

    The per cent sign and both slashes come escaped. As one line, see `one_line`.
    """
    name = one_line(name)
    for code, character in _ESCAPED:  # %25 comes last: it may stand before "2f"
        name = name.replace(code, character)
    return name


def one_line(text: str) -> str:
    """A text as a line of bounded length, with what would move a cursor or turn a line written out.

    Whoever may name a VM or a tag could else write lines of a list, a log or a mail. No name of
    vSphere has such characters where nobody put them there for that.
    """
    if len(text) > bounds.VCENTER_NAME:
        text = text[: bounds.VCENTER_NAME - 1] + "…"
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
