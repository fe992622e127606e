"""Text from elsewhere made fit to be shown on a terminal, and lists of names cut short."""

import re
from collections.abc import Sequence

CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
"""A pattern: what moves a terminal's cursor, changes its colors, its direction of writing or its
title. `re` compiles it when it is used."""
_LINE_CONTROL = f"[\t\n]|{CONTROL}"
MOST_NAMES = 5


def escape_control(text: str, *, lines: bool = True) -> str:
    """Text with its control characters written out: an escape is shown, and does nothing.

    Tabs and ends of lines stay; without `lines` they are written out, too, so that what somebody
    else named can't add a line to a list, a log or a mail.
    """
    if not lines:
        return re.sub(_LINE_CONTROL, _written_out, text)
    return re.sub(CONTROL, _written_out, text.replace("\r\n", "\n"))


def join_names(names: Sequence[str], most: int = MOST_NAMES, between: str = ", ") -> str:
    """The first names, and how many more there are: `web01, web02 and 7 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
