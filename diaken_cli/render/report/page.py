"""The page of a run: its fields, each host's result, what Ansible printed, and a deployed VM."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import diaken_cli
from diaken_cli.render.marks import clauses, mark, one_line, rank
from diaken_cli.render.phrases import counted, seconds
from diaken_cli.render.report.drawing import draw
from diaken_cli.render.summary import GOOD, failure_reason, missing_snapshots_text
from diaken_cli.render.timeline import NOT_JUDGED, build_timeline, host_statuses
from diaken_cli.render.values import Shape, local
from diaken_cli.store.run_records import OutputLine, RunDetail
from diaken_cli.text import escape_control
from diaken_cli.types import RunKind
from diaken_cli.units import format_cpus, format_size

COUNTERS = ("ok", "changed", "failed", "unreachable", "skipped")


def render_page(
    run: dict[str, Any],
    title: str,
    output: Sequence[OutputLine],
    at: datetime,
    vm: Mapping[str, str] | None = None,
) -> str:
    """The whole page of a run as people see it, made at that moment, by the template page.html.

    `vm` is the virtual machine of a deploy. All text in it is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("diaken_cli.render.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["sign"] = lambda status: mark(status).sign
    counters = _counters(run)
    return environment.get_template("page.html").render(
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
        drawing=draw(build_timeline(run, output)),
        steps=[_step(step, run) for step in run["steps"]],
        counters=counters,
        hosts=[
            _host(host, counters)
            for host in sorted(run["hosts"], key=lambda host: rank(host["status"]))
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
    took = f" in {seconds(run['duration_seconds'])}" if run["duration_seconds"] is not None else ""
    totals = run["totals"]
    if run["kind"] == RunKind.DEPLOY:
        return took
    if not totals["hosts"]:
        return f"{took}; no hosts"
    counts = [
        f"{count} {status}" for status, count in totals.items() if status != "hosts" and count
    ]
    return f"{took}; {counted(totals['hosts'], 'host')}{': ' if counts else ''}{', '.join(counts)}"


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
        took = seconds((datetime.fromisoformat(step["worked_until"]) - began).total_seconds())
    return {
        "name": step["name"],
        "status": step["status"],
        "began": _clock(step["started_at"], run["started_at"]),
        "took": took,
        "detail": clauses(step["detail"] or ""),
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
    for name in sorted(by_host, key=lambda name: (rank(statuses[name]), name)):
        lines = by_host[name]
        yield {
            "name": name,
            "count": counted(len(lines), "result"),
            "open": statuses[name] not in (GOOD, *NOT_JUDGED),
            "results": map(partial(_result, name), lines),
        }


def _result(host: str, line: OutputLine) -> dict[str, str]:
    """A task's result; its text only where that says more than the status."""
    head = f"{line.play} / {line.task}" + (f" ({line.item})" if line.item else "")
    is_bare = line.text.strip() in ("", f"{line.result}: [{host}]")
    return {
        "status": line.result.value,
        "head": one_line(head),
        "took": seconds(line.seconds),
        "text": "" if is_bare else line.text,
    }


def _clock(text: str, began: str) -> str:
    """A moment of a run that `began` then: its date only where that is another one."""
    moment, first = (local(datetime.fromisoformat(stored)) for stored in (text, began))
    return moment.partition(" ")[2] if moment.split()[0] == first.split()[0] else moment


def _zoned(moment: datetime) -> str:
    """A moment on this machine's clock, with the zone's name and offset: others read the page."""
    local_moment = moment.astimezone()
    name, offset = local_moment.tzname() or "", f"{local_moment:%z}"
    zone = f"UTC{offset[:3]}:{offset[3:]}"
    if name == "UTC":
        return f"{local(moment)} UTC"
    return f"{local(moment)} " + (zone if name[:1] in "+-" else f"{name} ({zone})")


def _zoned_text(text: str | None) -> str | None:
    return _zoned(datetime.fromisoformat(text)) if text else None


# ── the VM of a deploy ───────────────────────────────────────────────────────────────────────


def vm_fields(detail: RunDetail) -> dict[str, str]:
    """Labels and values, those without a value left out; nothing for a run that is no deploy.

    What `validate` chose stands in that step's facts; before it ended only what was asked for is
    known.
    """
    if detail.run.kind is not RunKind.DEPLOY:
        return {}
    request = detail.run.request
    facts = next((step.facts for step in detail.steps if step.name == "validate"), {})
    placement: dict[str, Any] = facts.get("placement") or {}

    def placed(requested: str, chosen: str) -> str:
        return str(placement.get(chosen) or request.get(requested) or "")

    fields = {
        "name": request.get("name", detail.run.target),
        "address": f"{request.get('ip', '')}/{request['prefix']}" if "prefix" in request else "",
        "gateway": request.get("gateway", ""),
        "DNS": ", ".join(request.get("dns", ())),
        "domain": request.get("domain", ""),
        "group": request.get("group", ""),
        "template": placed("template", "template_path"),
        "hardware": ", ".join(_hardware(request | placement)),
        "vCenter": request.get("vcenter", ""),
        "datacenter": request.get("datacenter", ""),
        "cluster": placed("cluster", "cluster_name"),
        "resource pool": placed("resource_pool", "pool_path"),
        "datastore": placed("datastore", "datastore_name"),
        "folder": placed("folder", "folder_path"),
        "network": placed("network", "network_name"),
        "playbooks": ", ".join(request.get("playbooks", ())),
    }
    return {label: value for label, value in fields.items() if value}


def _hardware(values: dict[str, Any]) -> list[str]:
    cpus = [format_cpus(values["cpus"])] if values.get("cpus") else []
    sizes = ((key, values.get(key)) for key in ("memory", "disk"))
    return cpus + [f"{format_size(size)} {key}" for key, size in sizes if size]
