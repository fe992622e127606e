"""The page: what a run was, when what went on, each host's result, and what Ansible said."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import Any

import diaken_cli
from diaken_cli.render.lanes import MOST_HOSTS, chart
from diaken_cli.render.marks import clauses, harmless, mark, one_line
from diaken_cli.render.phrases import seconds
from diaken_cli.render.report.drawing import draw
from diaken_cli.render.summary import GOOD, said_of, without
from diaken_cli.render.values import Shape, cell, local
from diaken_cli.store.runs import OutputLine

NUMBERS = ("ok", "changed", "failed", "unreachable", "skipped")


def page(run: dict[str, Any], what: str, said: Sequence[OutputLine], at: datetime) -> str:
    """The whole page of a run as people see it, made at that moment; `what` is its title.

    All text in it is escaped.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Run {run['id']}: {_text(what)}</title>",
            f"<style>\n{files('diaken_cli.render.report').joinpath('page.css').read_text()}</style>",
            "</head>\n<body>",
            *_head(run, what),
            *_timeline(run, said),
            *_steps(run),
            *_hosts(run),
            *_output(run, said),
            f"<footer>diaken {diaken_cli.__version__}, {local(at)}</footer>\n</body>\n</html>\n",
        ]
    )


def _head(run: Shape, what: str) -> Iterator[str]:
    yield f"<h1>Run {run['id']}: {_text(what)}</h1>"
    took = f" in {seconds(run['duration_seconds'])}" if run["duration_seconds"] is not None else ""
    counted = [f"{run['totals'][each]} {each}" for each in run["totals"] if run["totals"][each]]
    yield f'<p class="lead">{_status(run["status"])}{took}; {", ".join(counted) or "no hosts"}</p>'
    if run["error"]:
        yield f'<p class="alert">{_text(run["error"]["message"])}</p>'
    if missing := without(run):
        yield f'<p class="alert">{_text(missing)}</p>'
    about = {
        "target": f"{run['target_type']} {run['target']}",
        "environment": run["environment"],
        "playbook": run["playbook"],
        "started": _local(run["started_at"]),
        "finished": _local(run["finished_at"]),
        "by": f"{run['user']}, {run['trigger']}",
        "task": run["task"],
        "left behind": ", ".join(f"{each['kind']} {each['name']}" for each in run["leftovers"]),
    }
    yield "<dl>"
    yield from (
        f"<dt>{key}</dt><dd>{_text(str(value))}</dd>" for key, value in about.items() if value
    )
    yield "</dl>"


def _timeline(run: dict[str, Any], said: Sequence[OutputLine]) -> Iterator[str]:
    lanes = chart(run, said)
    if not lanes.steps and not lanes.hosts:
        return
    yield f'<h2>Timeline</h2>\n<figure><div class="wide">{draw(lanes)}</div>'
    seen = {bar.status for lane in (*lanes.steps, *lanes.hosts) for bar in lane.bars}
    more = (
        f"{MOST_HOSTS} hosts are drawn, {lanes.hosts_left_out} more are not."
        if lanes.hosts_left_out
        else ""
    )
    yield f"<figcaption>{''.join(map(_status, sorted(seen)))}{more}</figcaption></figure>"


def _steps(run: Shape) -> Iterator[str]:
    rows = [
        (
            _text(each["name"]),
            _status(each["status"]),
            _local(each["started_at"]),
            clauses(each["detail"] or ""),
        )
        for each in run["steps"]
    ]
    if rows:
        yield "<h2>Steps</h2>"
        yield from _table(("step", "status", "began", "detail"), rows)


def _hosts(run: Shape) -> Iterator[str]:
    if not run["hosts"]:
        return
    yield "<h2>Hosts</h2>"
    rows = []
    for host in sorted(run["hosts"], key=lambda each: each["status"] == GOOD):
        snapshot = host["snapshot"]
        taken = ""
        if snapshot:
            taken = f"{snapshot['name'] or ''} ({snapshot['error'] or snapshot['status']})"
        numbers = [str(host[each]) for each in NUMBERS]
        said = said_of(host) or ""
        rows.append((host["host"], _status(host["status"]), *numbers, said, taken))
    header = ("host", "status", *NUMBERS, "message", "snapshot")
    yield from _table(header, rows)


def _output(run: Shape, said: Sequence[OutputLine]) -> Iterator[str]:
    if not said:
        return
    status = {host["host"]: host["status"] for host in run["hosts"]}
    by_host: dict[str, list[OutputLine]] = {}
    for line in said:
        by_host.setdefault(line.host, []).append(line)
    yield "<h2>What Ansible said</h2>"
    for name in sorted(by_host, key=lambda each: (status.get(each) == GOOD, each)):
        lines = by_host[name]
        opened = "" if status.get(name, GOOD) == GOOD else " open"
        yield f"<details{opened}><summary>{_text(name)}: {len(lines)} results</summary>"
        for line in lines:
            head = f"{line.play} / {line.task}" + (f" ({line.item})" if line.item else "")
            yield f"<p>{_status(line.result)} {_text(one_line(head))}, {seconds(line.seconds)}</p>"
            if line.text.strip() not in ("", f"{line.result}: [{name}]"):
                yield f"<pre>{_text(line.text)}</pre>"
        yield "</details>"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    number = [each in NUMBERS for each in header]
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(
        f"<th{' class=n' if is_number else ''}>{each}</th>"
        for each, is_number in zip(header, number, strict=True)
    )
    yield "</tr></thead><tbody>"
    for row in rows:
        cells = (
            f"<td{' class=n' if is_number else ''}>{_cell(value)}</td>"
            for value, is_number in zip(row, number, strict=True)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


class _Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def _cell(value: Any) -> str:
    return value if isinstance(value, _Markup) else _text(cell(value))


def _status(status: str) -> _Markup:
    """A status with its sign: who can't tell colours apart has that."""
    return _Markup(f'<span class="{escape(status)}">{mark(status).sign} {escape(status)}</span>')


def _text(text: str) -> _Markup:
    return _Markup(escape(harmless(text)))


def _local(text: str | None) -> str:
    return local(datetime.fromisoformat(text)) if text else ""
