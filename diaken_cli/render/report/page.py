"""The page: what a run was, when what went on, each host's result, and what Ansible said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from itertools import zip_longest
from typing import Any

import diaken_cli
from diaken_cli.render.lanes import MOST_HOSTS, NOT_JUDGED, chart, host_statuses
from diaken_cli.render.marks import clauses, mark, one_line, rank
from diaken_cli.render.phrases import counted, seconds
from diaken_cli.render.report.drawing import draw
from diaken_cli.render.summary import GOOD, said_of, without
from diaken_cli.render.values import Shape, cell, local
from diaken_cli.store.runs import OutputLine
from diaken_cli.text import escape_control
from diaken_cli.words import RunKind

NUMBERS = ("ok", "changed", "failed", "unreachable", "skipped", "ignored")


class _Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def page(
    run: dict[str, Any],
    what: str,
    said: Sequence[OutputLine],
    at: datetime,
    machine: Mapping[str, str] | None = None,
) -> str:
    """The whole page of a run as people see it, made at that moment; `what` is its title.

    `machine` is the VM of a deploy. All text in it is escaped.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Run {run['id']}: {_text(what)}</title>",
            f"<style>\n{files('diaken_cli.render.report').joinpath('page.css').read_text()}</style>",
            "</head>\n<body>",
            *_head(run, what),
            *_machine(machine or {}),
            *_timeline(run, said),
            *_steps(run),
            *_hosts(run),
            *_output(run, said),
            f"<footer>diaken {diaken_cli.__version__}, {_zoned(at)}</footer>\n</body>\n</html>\n",
        ]
    )


def _head(run: Shape, what: str) -> Iterator[str]:
    yield f"<h1>Run {run['id']}: {_text(what)}</h1>"
    took = f" in {seconds(run['duration_seconds'])}" if run["duration_seconds"] is not None else ""
    yield f'<p class="lead">{_status(run["status"])}{took}{_counted(run)}</p>'
    if run["error"]:
        yield f'<p class="alert">{_text(run["error"]["message"])}</p>'
    if missing := without(run):
        yield f'<p class="alert">{_text(missing)}</p>'
    about = {
        "target": f"{run['target_type']} {run['target']}",
        "environment": run["environment"],
        "playbook": run["playbook"],
        "started": _zoned_text(run["started_at"]),
        "finished": _zoned_text(run["finished_at"]),
        "by": f"{run['user']}, {run['trigger']}",
        "task": run["task"],
        "left behind": ", ".join(f"{each['kind']} {each['name']}" for each in run["leftovers"]),
    }
    yield from _list_of(about)


def _counted(run: Shape) -> str:
    """How many hosts a run was on, and how it ended on them; a deploy is not about hosts."""
    totals = run["totals"]
    if run["kind"] == RunKind.DEPLOY:
        return ""
    if not totals["hosts"]:
        return "; no hosts"
    how = [f"{number} {each}" for each, number in totals.items() if each != "hosts" and number]
    return f"; {counted(totals['hosts'], 'host')}" + (f": {', '.join(how)}" if how else "")


def _machine(machine: Mapping[str, str]) -> Iterator[str]:
    if machine:
        yield "<h2>Virtual machine</h2>"
        yield from _list_of(machine)


def _list_of(about: Mapping[str, Any]) -> Iterator[str]:
    """Labels with their values; those without a value are left out."""
    yield "<dl>"
    yield from (
        f"<dt>{key}</dt><dd>{_text(str(value))}</dd>" for key, value in about.items() if value
    )
    yield "</dl>"


def _timeline(run: dict[str, Any], said: Sequence[OutputLine]) -> Iterator[str]:
    lanes = chart(run, said)
    if not lanes.steps and not lanes.hosts:
        return
    yield f"<h2>Timeline</h2>\n<figure>{draw(lanes)}"
    seen = {bar.status for lane in (*lanes.steps, *lanes.hosts) for bar in lane.bars}
    left_out = lanes.hosts_left_out
    more = f"{MOST_HOSTS} hosts are drawn, {left_out} more not." if left_out else ""
    yield f"<figcaption>{''.join(map(_status, sorted(seen)))}{more}</figcaption></figure>"


def _steps(run: Shape) -> Iterator[str]:
    rows = [
        (
            _unbroken(each["name"]),
            _status(each["status"]),
            _unbroken(_clock(each["started_at"], run["started_at"])),
            _unbroken(_took(each)),
            clauses(each["detail"] or ""),
        )
        for each in run["steps"]
    ]
    if rows:
        yield "<h2>Steps</h2>"
        yield from _table(("step", "status", "began", "took", "detail"), rows)


def _hosts(run: Shape) -> Iterator[str]:
    if not run["hosts"]:
        return
    yield "<h2>Hosts</h2>"
    hosts = sorted(run["hosts"], key=lambda each: rank(each["status"]))
    ignored = any(host["ignored"] for host in hosts)
    shown = NUMBERS if ignored else NUMBERS[:-1]
    numbers = () if run["kind"] == RunKind.SNAPSHOT else shown
    rows = [
        (host["host"], _status(host["status"]), *(str(host[each]) for each in numbers))
        for host in hosts
    ]
    yield from _table(("host", "status", *numbers), rows, [_below(host) for host in hosts])


def _below(host: Shape) -> _Markup | None:
    """What stands below a host's row: why it did not succeed, and its snapshot."""
    said, taken = said_of(host), _snapshot(host)
    lines = [_text(said)] if said else []
    lines += [_Markup(f"snapshot: {_text(taken)}")] if taken else []
    return _Markup("<br>".join(lines)) if lines else None


def _snapshot(host: Shape) -> str | None:
    snapshot = host["snapshot"]
    if not snapshot:
        return None
    return f"{snapshot['name'] or ''} ({snapshot['error'] or snapshot['status']})"


def _output(run: Shape, said: Sequence[OutputLine]) -> Iterator[str]:
    if not said:
        return
    status = host_statuses(run, said)
    by_host: dict[str, list[OutputLine]] = {}
    for line in said:
        by_host.setdefault(line.host, []).append(line)
    yield "<h2>What Ansible said</h2>"
    for name in sorted(by_host, key=lambda each: (rank(status[each]), each)):
        lines = by_host[name]
        opened = "" if status[name] in (GOOD, *NOT_JUDGED) else " open"
        yield f"<details{opened}><summary>{_text(name)}: {counted(len(lines), 'result')}</summary>"
        for line in lines:
            head = f"{line.play} / {line.task}" + (f" ({line.item})" if line.item else "")
            yield f"<p>{_status(line.result)} {_text(one_line(head))}, {seconds(line.seconds)}</p>"
            if line.text.strip() not in ("", f"{line.result}: [{name}]"):
                yield f"<pre>{_text(line.text)}</pre>"
        yield "</details>"


def _table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], below: Iterable[_Markup | None] = ()
) -> Iterator[str]:
    """A table; what is `below` a row has a line of the whole width."""
    number = [each in NUMBERS for each in header]
    yield "<table><thead><tr>"
    yield "".join(
        f"<th{' class=n' if is_number else ''}>{each}</th>"
        for each, is_number in zip(header, number, strict=True)
    )
    yield "</tr></thead><tbody>"
    for row, more in zip_longest(rows, below):
        cells = (
            f"<td{' class=n' if is_number else ''}>{_cell(value)}</td>"
            for value, is_number in zip(row, number, strict=True)
        )
        yield f"<tr{' class=with' if more else ''}>{''.join(cells)}</tr>"
        if more:
            yield f'<tr><td class="below" colspan="{len(header)}">{more}</td></tr>'
    yield "</tbody></table>"


def _cell(value: Any) -> str:
    return value if isinstance(value, _Markup) else _text(cell(value))


def _status(status: str) -> _Markup:
    """A status with its sign: who can't tell colours apart has that."""
    return _Markup(f'<span class="{escape(status)}">{mark(status).sign} {escape(status)}</span>')


def _unbroken(text: str) -> _Markup:
    return _Markup(f"<span>{_text(text)}</span>")


def _text(text: str) -> _Markup:
    return _Markup(escape(escape_control(text)))


def _took(step: Shape) -> str:
    if not step["worked_until"]:
        return ""
    began = datetime.fromisoformat(step["started_at"])
    return seconds((datetime.fromisoformat(step["worked_until"]) - began).total_seconds())


def _clock(text: str, began: str) -> str:
    """A moment of a run that `began` then: its date only where that is another one."""
    moment, first = (local(datetime.fromisoformat(each)) for each in (text, began))
    return moment.partition(" ")[2] if moment.split()[0] == first.split()[0] else moment


def _zoned(moment: datetime) -> str:
    """A moment on this machine's clock, with the zone's name and offset: others read the page."""
    here = moment.astimezone()
    name, offset = here.tzname() or "", f"{here:%z}"
    zone = f"UTC{offset[:3]}:{offset[3:]}"
    if name == "UTC":
        return f"{local(moment)} UTC"
    return f"{local(moment)} " + (zone if name[:1] in "+-" else f"{name} ({zone})")


def _zoned_text(text: str | None) -> str | None:
    return _zoned(datetime.fromisoformat(text)) if text else None
