"""Tables without lines: they fit the terminal, and what a person copies from one stays whole."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.table import Table as Grid
from rich.text import Text

from diaken_cli.render.values import Columns, Shape, cell

GAP = 2
STATUS = "STATUS"
READABLE = 20
LONGEST_WORD = 32  # a longer one is broken where there is no room for it
SHORTEST_PART = 8  # of a word that is broken because there is no room for anything else


@dataclass(frozen=True)
class Width:
    """A column: what it would take, what it can do with, and how narrow it is at the very end.

    At `least` no word of up to LONGEST_WORD is broken; at `broken` some are.
    """

    header: str
    wanted: int
    least: int
    broken: int

    @property
    def readable(self) -> int:
        """Below this a column of words is a tower."""
        return min(self.wanted, max(self.least, READABLE))


def fit(columns: Sequence[Width], room: int, spare: Sequence[str] = ()) -> dict[str, int]:
    """The width of each column that is shown in that room.

    The `spare` columns go, the first one first, until the others can be read; then the widest
    columns fold, between words as long as that will do. What has no room even so is wider than
    it, and left to the terminal.
    """
    shown = list(columns)
    for header in spare:
        if _sum(each.readable for each in shown) <= room:
            break
        shown = [each for each in shown if each.header != header]
    widths = {each.header: each.wanted for each in shown}
    for bounds in (
        {each.header: each.least for each in shown},
        {each.header: each.broken for each in shown},
    ):
        while _sum(widths.values()) > room:
            foldable = [header for header in widths if widths[header] > bounds[header]]
            if not foldable:
                break
            widths[max(foldable, key=lambda header: widths[header])] -= 1
    return widths


def _sum(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _width(header: str, cells: Iterable[str], *, whole: bool) -> Width:
    lines = [header, *(line for each in cells for line in each.splitlines())]
    wanted = max(map(cell_len, lines))
    words = max(cell_len(word) for line in lines for word in [*line.split(), ""])
    if whole:
        return Width(header, wanted, wanted, wanted)
    least = min(words, LONGEST_WORD)
    return Width(header, wanted, least, min(least, max(SHORTEST_PART, cell_len(header))))


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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        widths = self._widths(options.max_width)
        grid = Grid(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
        for header, width in widths.items():
            grid.add_column(header, overflow="fold", width=width, no_wrap=header in self.whole)
        for row in self.rows:
            cells = zip(self.headers, row, strict=True)
            grid.add_row(*(cell for header, cell in cells if header in widths))
        yield from _stripped(console, grid, options, _sum(widths.values()))

    def _widths(self, room: int) -> dict[str, int]:
        columns = [
            _width(header, [row[at].plain for row in self.rows], whole=header in self.whole)
            for at, header in enumerate(self.headers)
        ]
        return fit(columns, room, self.spare)


@dataclass(frozen=True)
class Fields:
    """One thing, a line a field; no line has blanks at its end."""

    rows: Sequence[tuple[str, Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        grid = Grid(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=False)
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in self.rows:
            grid.add_row(label, value)
        yield from _stripped(console, grid, options, options.max_width)


def _stripped(
    console: Console, grid: Grid, options: ConsoleOptions, width: int
) -> Iterator[Segment]:
    """The lines of a table of that width, without the blanks at their ends."""
    for line in console.render_lines(grid, options.update(width=width), pad=False):
        while line and not line[-1].text.rstrip(" "):
            line.pop()
        *before, last = line or [Segment("")]
        yield from before
        yield Segment(last.text.rstrip(" "), last.style)
        yield Segment.line()


def table(
    shapes: Iterable[Shape],
    columns: Columns,
    *,
    whole: Collection[str] = (),
    spare: Sequence[str] = (),
) -> Table:
    """A table without lines; see `fit` for what becomes of it on a narrow terminal.

    A status and its mark stay together, and what is in the columns that are `whole`.
    """
    rows = [[_text(_value(shape, source)) for source in columns.values()] for shape in shapes]
    return Table(tuple(columns), rows, {*whole, STATUS}, spare)


def fields(shape: Shape, labels: Mapping[str, str]) -> Fields:
    """One thing, a line a field."""
    return Fields(
        [(labels.get(key, key.replace("_", " ")), _text(value)) for key, value in shape.items()]
    )


def _value(shape: Shape, source: str | Callable[[Shape], Any]) -> Any:
    return shape[source] if isinstance(source, str) else source(shape)


def _text(value: Any) -> Text:
    shown = cell(value)
    return shown if isinstance(shown, Text) else Text(shown)
