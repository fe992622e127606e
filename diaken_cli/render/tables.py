"""Tables without lines that fit the terminal; a word is never broken, so it can be copied.

The cells of a row are folded between words. A word longer than its column overhangs it: the cells
after it begin a line lower, in their columns, as argparse's help does it with long options.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

from diaken_cli.render.formatting import NO_BREAK, Columns, Shape, format_value

STATUS = "STATUS"
READABLE = 20
TIGHT = 12  # where that is enough, so that no word hangs over
EMPTY: tuple[object, ...] = (None, "", [], {})
LONGEST_WORD = 32  # a longer one hangs over its column where there is no room for it
SHORTEST_PART = 8  # of a column whose words hang over because there is no room for anything else
GAP = 2
_WORD = re.compile(rf"[^\S{NO_BREAK}]*[\S{NO_BREAK}]+")


@dataclass(frozen=True)
class Width:
    """The widths of a column: its natural one, its least one, and the narrowest as a last resort.

    At `least` no word of up to LONGEST_WORD hangs over; at `narrowest` some do. A column of `prose`
    has sentences.
    """

    header: str
    natural: int
    least: int
    narrowest: int
    prose: bool = False

    @property
    def readable(self) -> int:
        """The least width at which a column of words can be read well."""
        return self._at_least(READABLE)

    @property
    def tight(self) -> int:
        """The width to which a column of words folds where that saves words from overhanging."""
        return self._at_least(TIGHT)

    def _at_least(self, width: int) -> int:
        return min(self.natural, max(self.least, width))


def fit_columns(columns: Sequence[Width], room: int, spare: Sequence[str] = ()) -> dict[str, int]:
    """The width of each column that is shown in that room.

    The `spare` columns go, the first one first, until the others can be read; then the widest
    columns fold, between words and to what can be read, or a little further where that is enough;
    then long words hang over, in as few columns as that takes, of names rather than of sentences.
    What has no room even so is wider than it, and left to the terminal.
    """
    shown = list(columns)
    for header in spare:
        if _sum(column.readable for column in shown) <= room:
            break
        shown = [column for column in shown if column.header != header]
    widths = {column.header: column.natural for column in shown}
    least = {column.header: column.readable for column in shown}
    if _sum(least.values()) > room >= _sum(column.tight for column in shown):
        least = {column.header: column.tight for column in shown}
    while _sum(widths.values()) > room:
        foldable = [header for header in widths if widths[header] > least[header]]
        if not foldable:
            break
        widths[max(foldable, key=lambda header: widths[header])] -= 1
    names = [column for column in shown if not column.prose]
    for some in (names, shown):
        by_slack = sorted(some, key=lambda column: column.least - column.narrowest, reverse=True)
        for column in by_slack:
            too_wide = _sum(widths.values()) - room
            if too_wide > 0:
                widths[column.header] = max(column.narrowest, widths[column.header] - too_wide)
    return widths


def _sum(widths: Iterable[int]) -> int:
    all_widths = list(widths)
    return sum(all_widths) + GAP * (len(all_widths) - 1)


def _width(header: str, cells: Iterable[str], *, whole: bool) -> Width:
    lines = [header, *(line for cell_text in cells for line in cell_text.splitlines())]
    natural = max(map(cell_len, lines))
    longest = max(cell_len(word) for line in lines for word in [*words(line), ""])
    if whole:
        return Width(header, natural, natural, natural)
    least = min(longest, LONGEST_WORD)
    narrowest = min(least, max(SHORTEST_PART, cell_len(header)))
    return Width(header, natural, least, narrowest, prose=any(" " in line for line in lines[1:]))


@dataclass(frozen=True)
class Table:
    """What Rich draws as a table; no line has blanks at its end."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Text]]
    whole: Collection[str]
    spare: Sequence[str]

    def left_out(self, room: int) -> list[str]:
        """The columns that there is no room for."""
        shown = self._widths(room)
        return [header for header in self.headers if header not in shown]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        widths = self._widths(options.max_width)
        places, at = [], 0
        for width in widths.values():
            places.append(ColumnPosition(at, width))
            at += width + GAP
        rows = [[Text(header, style="bold") for header in self.headers], *self.rows]
        for row in rows:
            pairs = zip(self.headers, row, strict=True)
            shown = [cell for header, cell in pairs if header in widths]
            yield from _unwrapped(layout_row(shown, places, options.max_width))

    def _widths(self, room: int) -> dict[str, int]:
        columns = [
            _width(header, [row[at].plain for row in self.rows], whole=header in self.whole)
            for at, header in enumerate(self.headers)
        ]
        return fit_columns(columns, room, self.spare)


@dataclass(frozen=True)
class Fields:
    """One thing, a line a field; no line has blanks at its end."""

    rows: Sequence[tuple[str, Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        labels = max((cell_len(label) for label, _ in self.rows), default=0)
        begin = labels + GAP
        places = [
            ColumnPosition(0, labels),
            ColumnPosition(begin, max(options.max_width - begin, 1)),
        ]
        for label, value in self.rows:
            cells = [Text(label, style="bold"), value]
            yield from _unwrapped(layout_row(cells, places, options.max_width))


def _unwrapped(lines: Iterable[Text]) -> Iterator[Text]:
    """Lines that Rich leaves as they are: what is too long is the terminal's to wrap."""
    for line in lines:
        line.no_wrap, line.overflow = True, "ignore"
        yield line


def table(
    shapes: Iterable[Shape],
    columns: Columns,
    *,
    whole: Collection[str] = (),
    spare: Sequence[str] = (),
) -> Table:
    """A table without lines; see `fit_columns` for what becomes of it on a narrow terminal.

    A status and its mark stay together, and what is in the columns that are `whole`. A `spare`
    column in which no row has a value is not there.
    """
    shapes = list(shapes)
    shown = {
        header: source
        for header, source in columns.items()
        if header not in spare or any(_value(shape, source) not in EMPTY for shape in shapes)
    }
    rows = [[_text(_value(shape, source)) for source in shown.values()] for shape in shapes]
    return Table(tuple(shown), rows, {*whole, STATUS}, spare)


def fields(shape: Shape, labels: Mapping[str, str]) -> Fields:
    """One thing, a line a field."""
    return Fields(
        [(labels.get(key, key.replace("_", " ")), _text(value)) for key, value in shape.items()]
    )


def _value(shape: Shape, source: str | Callable[[Shape], Any]) -> Any:
    return shape[source] if isinstance(source, str) else source(shape)


def _text(value: Any) -> Text:
    shown = format_value(value)
    return shown if isinstance(shown, Text) else Text(shown)


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


def fold_hanging(text: Text, console: Console) -> Text:
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
