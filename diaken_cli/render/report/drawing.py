"""The chart of a run as SVG."""

from collections.abc import Iterator
from html import escape
from itertools import accumulate

from diaken_cli.render.lanes import Chart, Lane
from diaken_cli.render.marks import mark, one_line
from diaken_cli.render.phrases import seconds

WIDTH, NAMES, LANE, BAR, AXIS = 840, 190, 24, 14, 22  # pixels
LONGEST_NAME = 24  # a longer one has a line of its own above its bars


def draw(chart: Chart) -> str:
    """The lanes of the steps, then those of the hosts, over one axis of time."""
    lanes = [*chart.steps, *chart.hosts]
    tops = [*accumulate(map(_height, lanes), initial=AXIS)]
    height = tops[-1] + 6
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="When what went on">',
        *_axis(chart, height),
    ]
    for number, lane in enumerate(lanes):
        divided = number == len(chart.steps) and number > 0
        parts += _lane(lane, chart.whole, tops[number], divided=divided)
    return "\n".join([*parts, "</svg>"])


def _axis(chart: Chart, height: int) -> Iterator[str]:
    for tick in chart.ticks():
        x = _x(tick, chart.whole)
        yield f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{AXIS}" y2="{height}"/>'
        anchor = "end" if x > WIDTH - 40 else "middle"
        label = seconds(tick) if tick else "0"
        yield f'<text class="axis" x="{x:.1f}" y="14" text-anchor="{anchor}">{label}</text>'


def _lane(lane: Lane, whole: float, top: int, *, divided: bool) -> Iterator[str]:
    if divided:
        yield f'<line class="divide" x1="0" x2="{WIDTH}" y1="{top}" y2="{top}"/>'
    yield (
        f'<text x="0" y="{top + 17}" class="{escape(lane.status)}">{mark(lane.status).sign}</text>'
        f'<text x="18" y="{top + 17}">{escape(one_line(lane.name))}</text>'
    )
    top += _height(lane) - LANE
    for bar in lane.bars:
        x = _x(bar.begin, whole)
        width = max(_x(bar.end, whole) - x, 1.5)
        says = escape(one_line(bar.says))
        yield (
            f'<rect class="bar {escape(bar.status)}" x="{x:.1f}" y="{top + 5}"'
            f' width="{width:.1f}" height="{BAR}"><title>{says}</title></rect>'
        )


def _height(lane: Lane) -> int:
    return LANE if len(one_line(lane.name)) <= LONGEST_NAME else LANE + BAR


def _x(moment: float, whole: float) -> float:
    return NAMES + (WIDTH - NAMES) * min(moment / whole, 1.0)
