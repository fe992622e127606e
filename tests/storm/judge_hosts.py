"""What the hosts themselves have seen: one run at a time, each once, and nothing of it is left."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.storm.evidence import Evidence, Finding
from tests.storm.witness import Mark
from tests.storm.world import READY

_LEFT_THERE = (
    "grep -lszE 'DIAKEN_RUN=' /proc/[0-9]*/environ"
    " | while read path; do tr '\\0' ' ' <${path%environ}cmdline; echo; done;"
    " ls -d /root/.ansible/tmp/* /tmp/ansible* 2>/dev/null; true"
)


def overlaps(evidence: Evidence) -> Iterator[Finding]:
    """While a run worked on a host, no other one did."""
    runs = evidence.witness.by_uid()
    for disk, marks in evidence.witness.marks.items():
        spans: dict[str, tuple[float, float]] = {}
        for mark in marks:
            first, last = spans.get(mark.run_uid, (mark.at, mark.at))
            spans[mark.run_uid] = min(first, mark.at), max(last, mark.at)
        until, by = 0.0, ""
        for uid, (first, last) in sorted(spans.items(), key=lambda span: span[1]):
            if first < until:
                both = (
                    f"{runs.get(by, by)} until {until:.2f}, {runs.get(uid, uid)} from {first:.2f}"
                )
                yield Finding("overlap", f"{disk}: {both}")
            if last > until:
                until, by = last, uid


def repeated(evidence: Evidence) -> Iterator[Finding]:
    """A run began on a host once; only a deploy that was resumed may do so again."""
    runs = evidence.witness.by_uid()
    for disk, marks in evidence.witness.marks.items():
        for uid, count in Counter(_starts(marks)).items():
            run = runs.get(uid)
            if count > 1 and (run is None or run.kind != "deploy"):
                yield Finding("executed twice", f"{disk}: {count} times {run or uid}")


def left_there(evidence: Evidence) -> Iterator[Finding]:
    """No process and no file of a run is left on a host."""
    deployed = "select name from host where active and name like 'd%' and vm_uuid is not null"
    names = [*READY, *(name for (name,) in evidence.world.query(deployed))]
    for name in names:
        done = evidence.world.lab.sh(name, "sh", "-c", _LEFT_THERE)
        if done.returncode != 0:
            yield Finding("host", f"{name}: {done.stderr.strip()}")
        elif found := done.stdout.strip():
            yield Finding("left on a host", f"{name}: {found}")


def left_here(evidence: Evidence) -> Iterator[Finding]:
    """No process is left on this machine, and no file but those that stay."""
    world = evidence.world
    for pid in world.processes():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            yield Finding("process left", words.decode(errors="replace"))
    database = world.database.name
    stay = {database, *(f"{database}{end}" for end in ("-wal", "-shm", ".runs", ".tick", ".lock"))}
    stay |= {f"{database}.known_hosts{end}" for end in ("", ".lock", ".old")}
    folders = [world.private, world.temporary, world.database.parent, world.folder / "home"]
    for folder in [*folders, world.database.with_name(f"{database}.runs")]:
        if left := sorted({path.name for path in folder.iterdir()} - stay):
            yield Finding("file left", f"{folder}: {left}")


def _starts(marks: set[Mark]) -> Iterator[str]:
    return (mark.run_uid for mark in marks if mark.what == "start")
