"""The cells of a row as lines, folded between words; a word longer than its column overhangs it.

So what is copied from a table is never broken. The cells after one that overhangs begin a line
lower, in their columns, as argparse's help does it with long options.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2
NO_BREAK = "\N{NO-BREAK SPACE}"  # holds words together, and is shown as a blank
_WORD = re.compile(rf"[^\S{NO_BREAK}]*[\S{NO_BREAK}]+")


@dataclass(frozen=True)
class ColumnPosition:
    """The begin and the width of a column, in columns of the terminal."""

    at: int
    width: int


def words(text: str) -> list[str]:
    """The words of a text: no line is broken within one."""
    return [word.strip() for word in _WORD.findall(text)]


def layout_row(cells: Sequence[Text], places: Sequence[ColumnPosition], room: int) -> list[Text]:
    """The lines of a row in that room; none has blanks at its end.

    A word with no room in its column's line is moved left on a line of its own, as far as that
    helps; what is longer than the room is left to the terminal.
    """
    lines: list[Text] = []
    first = 0
    for cell, place in zip(cells, places, strict=True):
        row = first
        for number, part in enumerate(fold(cell, place.width)):
            row, at = _free(lines, row, place.at, part.cell_len, room)
            if number == 0:
                first = row
            lines += [Text() for _ in range(row + 1 - len(lines))]
            lines[row] += Text(" " * (at - lines[row].cell_len)) + part
            row += 1
    return lines


def fold(text: Text, width: int) -> list[Text]:
    """The text in lines of that width, broken only between words."""
    return [part for line in text.split(allow_blank=True) for part in _folded(line, width)]


def fold_hanging(text: Text, console: "Console") -> Text:
    """The text folded for a terminal, each line's continuation below its own indentation.

    Where no terminal limits its lines, it stays as it is.
    """
    if console.soft_wrap:
        return text
    lines: list[Text] = []
    for line in text.split(allow_blank=True):
        indent = len(line.plain) - len(line.plain.lstrip(" "))
        if line.cell_len <= console.width or indent > console.width // 2:
            lines.append(line)
            continue
        parts = fold(line[indent:], console.width - indent)
        lines += [Text(" " * indent, style=line.style) + part for part in parts]
    return Text("\n").join(lines)


def _folded(line: Text, width: int) -> list[Text]:
    breaks: list[int] = []
    begin = 0
    for word in _WORD.finditer(line.plain):
        start = word.end() - len(word[0].lstrip())
        if start > begin and cell_len(line.plain[begin : word.end()]) > width:
            begin = start
            if begin:
                breaks.append(begin)
    parts = list(line.divide(breaks))
    for part in parts:
        part.rstrip()
        part.plain = part.plain.replace(NO_BREAK, " ")
    return parts


def _free(lines: Sequence[Text], row: int, at: int, length: int, room: int) -> tuple[int, int]:
    """The first line from `row` on in which a part has its place, and where that begins."""
    begin = at if at + length <= room or length > room else room - length
    while row < len(lines) and lines[row].plain and lines[row].cell_len + GAP > begin:
        row += 1
    return row, begin
