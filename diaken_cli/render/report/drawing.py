"""Pure: where each bar of a timeline lies in a drawing, in pixels, for the template page.html."""

from itertools import accumulate
from typing import Any

from diaken_cli.render.marks import one_line
from diaken_cli.render.phrases import seconds
from diaken_cli.render.timeline import Timeline, TimelineRow

WIDTH, NAMES, ROW, BAR, AXIS = 840, 190, 24, 14, 22
NARROWEST_BAR = 1.5
MAX_NAME = 24  # characters; a longer name has a line of its own above its bars


def draw(timeline: Timeline) -> dict[str, Any] | None:
    """The steps, then the hosts, over one axis of time; None where there is nothing to draw.

    A row is `divided` by a line from what stands above it. `statuses` are those that bars have.
    """
    rows = [*timeline.steps, *timeline.hosts]
    if not rows:
        return None
    tops = [*accumulate(map(_height, rows), initial=AXIS)]
    drawn = [_row(row, top, timeline.duration) for row, top in zip(rows, tops, strict=False)]
    if timeline.steps and timeline.hosts:
        drawn[len(timeline.steps)]["divided"] = True
    return {
        "width": WIDTH,
        "height": tops[-1] + 6,
        "axis": AXIS,
        "ticks": [_tick(moment, timeline.duration) for moment in timeline.ticks()],
        "rows": drawn,
        "statuses": sorted({bar.status for row in rows for bar in row.bars}),
        "hosts_drawn": len(timeline.hosts),
        "hosts_left_out": timeline.hosts_left_out,
    }


def _tick(moment: float, duration: float) -> dict[str, str]:
    x = _x(moment, duration)
    anchor = "end" if x > WIDTH - 40 else "middle"
    return {"x": f"{x:.1f}", "anchor": anchor, "label": seconds(moment) if moment else "0"}


def _row(row: TimelineRow, top: int, duration: float) -> dict[str, Any]:
    bars = []
    for bar in row.bars:
        x = _x(bar.begin, duration)
        width = max(_x(bar.end, duration) - x, NARROWEST_BAR)
        place = {"x": f"{x:.1f}", "y": top + _height(row) - ROW + 5, "width": f"{width:.1f}"}
        bars.append(place | {"height": BAR, "status": bar.status, "label": one_line(bar.label)})
    return {
        "name": one_line(row.name),
        "status": row.status,
        "top": top,
        "baseline": top + 17,
        "divided": False,
        "bars": bars,
    }


def _height(row: TimelineRow) -> int:
    return ROW if len(one_line(row.name)) <= MAX_NAME else ROW + BAR


def _x(moment: float, duration: float) -> float:
    return NAMES + (WIDTH - NAMES) * min(moment / duration, 1.0)
