"""A run as one self-contained HTML page: no script, no font and no picture from elsewhere.

Its fields, a timeline, each host's result, what Ansible printed, and the VM of a deploy.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import accumulate
from typing import Any

import diaken_cli
from diaken_cli.render.formatting import (
    Shape,
    format_local,
    format_seconds,
    join_lines,
    one_line,
    pluralize,
    severity,
    status_mark,
)
from diaken_cli.render.summary import GOOD, failure_reason, missing_snapshots_text
from diaken_cli.render.timeline import (
    WITHOUT_RESULTS,
    Timeline,
    TimelineRow,
    build_timeline,
    host_statuses,
)
from diaken_cli.store.run_records import OutputLine
from diaken_cli.text import escape_control
from diaken_cli.types import RunKind

COUNTERS = ("ok", "changed", "failed", "unreachable", "skipped")
WIDTH, NAMES, ROW, BAR, AXIS = 840, 190, 24, 14, 22
NARROWEST_BAR = 1.5
MAX_NAME = 24  # characters; a longer name has a line of its own above its bars


def render_page(
    run: dict[str, Any],
    title: str,
    output: Sequence[OutputLine],
    at: datetime,
    vm: Mapping[str, str] | None = None,
) -> str:
    """The whole page of a run as people see it, made at that moment, by the template report.html.

    `vm` is the virtual machine of a deploy. All text in it is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("diaken_cli.render", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["sign"] = lambda status: status_mark(status).sign
    counters = _counters(run)
    return environment.get_template("report.html").render(
        title=f"Run {run['id']}: {title}",
        run=run,
        summary=_summary(run),
        alerts=[
            text
            for text in ((run["error"] or {}).get("message"), missing_snapshots_text(run))
            if text
        ],
        about=_about(run),
        vm=vm,
        drawing=_draw(build_timeline(run, output)),
        steps=[_step(step, run) for step in run["steps"]],
        counters=counters,
        hosts=[
            _host(host, counters)
            for host in sorted(run["hosts"], key=lambda host: severity(host["status"]))
        ],
        outputs=list(_outputs(run, output)),
        version=diaken_cli.__version__,
        made_at=_zoned(at),
    )


def _printable(value: Any) -> Any:
    """What the template shows, with control characters written out; its own HTML as it is."""
    return escape_control(value) if type(value) is str else value


def _summary(run: Shape) -> str:
    """How long it took, and how it ended on how many hosts; a deploy is not about hosts."""
    took = (
        f" in {format_seconds(run['duration_seconds'])}"
        if run["duration_seconds"] is not None
        else ""
    )
    totals = run["totals"]
    if run["kind"] == RunKind.DEPLOY:
        return took
    if not totals["hosts"]:
        return f"{took}; no hosts"
    counts = [
        f"{count} {status}" for status, count in totals.items() if status != "hosts" and count
    ]
    return (
        f"{took}; {pluralize(totals['hosts'], 'host')}{': ' if counts else ''}{', '.join(counts)}"
    )


def _about(run: Shape) -> dict[str, str | None]:
    """Labels and values; those without a value are not shown."""
    return {
        "target": f"{run['target_type']} {run['target']}",
        "environment": run["environment"],
        "playbook": run["playbook"],
        "started": _zoned_text(run["started_at"]),
        "finished": _zoned_text(run["finished_at"]),
        "by": f"{run['user']}, {run['trigger']}",
        "task": run["task"],
        "left behind": ", ".join(
            f"{leftover['kind']} {leftover['name']}" for leftover in run["leftovers"]
        ),
    }


def _step(step: Shape, run: Shape) -> dict[str, str]:
    took = ""
    if step["worked_until"]:
        began = datetime.fromisoformat(step["started_at"])
        took = format_seconds(
            (datetime.fromisoformat(step["worked_until"]) - began).total_seconds()
        )
    return {
        "name": step["name"],
        "status": step["status"],
        "began": _clock(step["started_at"], run["started_at"]),
        "took": took,
        "detail": join_lines(step["detail"] or ""),
    }


def _counters(run: Shape) -> tuple[str, ...]:
    """The counters of Ansible's that hosts are shown with: none where it did not run."""
    if run["kind"] == RunKind.SNAPSHOT:
        return ()
    return (*COUNTERS, "ignored") if any(host["ignored"] for host in run["hosts"]) else COUNTERS


def _host(host: Shape, counters: Sequence[str]) -> dict[str, Any]:
    """A host's row; `below` it stands why it did not succeed, and its snapshot."""
    below = [reason] if (reason := failure_reason(host)) else []
    if snapshot := host["snapshot"]:
        outcome = snapshot["error"] or snapshot["status"]
        if run := host.get("snapshot_removed_by"):
            outcome = f"removed by run {run}"
        below.append(f"snapshot: {snapshot['name'] or ''} ({outcome})")
    return {
        "name": host["host"],
        "status": host["status"],
        "counts": [host[counter] for counter in counters],
        "below": below,
    }


def _outputs(run: Shape, output: Sequence[OutputLine]) -> Iterator[dict[str, Any]]:
    """What Ansible printed of each host; that of hosts that did not succeed comes first, open."""
    statuses = host_statuses(run, output)
    by_host: dict[str, list[OutputLine]] = {}
    for line in output:
        by_host.setdefault(line.host, []).append(line)
    for name in sorted(by_host, key=lambda name: (severity(statuses[name]), name)):
        lines = by_host[name]
        yield {
            "name": name,
            "count": pluralize(len(lines), "result"),
            "open": statuses[name] not in (GOOD, *WITHOUT_RESULTS),
            "results": map(partial(_result, name), lines),
        }


def _result(host: str, line: OutputLine) -> dict[str, str]:
    """A task's result; its text only where that says more than the status."""
    head = f"{line.play} / {line.task}" + (f" ({line.item})" if line.item else "")
    is_bare = line.text.strip() in ("", f"{line.result}: [{host}]")
    return {
        "status": line.result.value,
        "head": one_line(head),
        "took": format_seconds(line.seconds),
        "text": "" if is_bare else line.text,
    }


def _clock(text: str, began: str) -> str:
    """A moment of a run that `began` then: its date only where that is another one."""
    moment, first = (format_local(datetime.fromisoformat(stored)) for stored in (text, began))
    return moment.partition(" ")[2] if moment.split()[0] == first.split()[0] else moment


def _zoned(moment: datetime) -> str:
    """A moment on this machine's clock, with the zone's name and offset: others read the page."""
    local_moment = moment.astimezone()
    name, offset = local_moment.tzname() or "", f"{local_moment:%z}"
    zone = f"UTC{offset[:3]}:{offset[3:]}"
    if name == "UTC":
        return f"{format_local(moment)} UTC"
    return f"{format_local(moment)} " + (zone if name[:1] in "+-" else f"{name} ({zone})")


def _zoned_text(text: str | None) -> str | None:
    return _zoned(datetime.fromisoformat(text)) if text else None


def _draw(timeline: Timeline) -> dict[str, Any] | None:
    """Where each bar of the timeline lies, in pixels; None where there is nothing to draw.

    The steps come first, then the hosts, over one axis of time.

    A row is `divided` by a line from what stands above it. `statuses` are those that bars have.
    """
    rows = [*timeline.steps, *timeline.hosts]
    if not rows:
        return None
    tops = [*accumulate(map(_height, rows), initial=AXIS)]
    drawn = [
        _timeline_row(row, top, timeline.duration) for row, top in zip(rows, tops, strict=False)
    ]
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
    return {"x": f"{x:.1f}", "anchor": anchor, "label": format_seconds(moment) if moment else "0"}


def _timeline_row(row: TimelineRow, top: int, duration: float) -> dict[str, Any]:
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
