"""Whether a person has to take something up: runs that died, and what they left."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.store import Store
from diaken_cli.store.runs import RunFilter, RunRecord
from diaken_cli.words import RunKind, RunStatus

RECENT = timedelta(days=7)
ENDINGS = (RunStatus.INTERRUPTED, RunStatus.FAILED, RunStatus.CANCELED)
MOST = 200  # of each ending
SHOWN = 5


def check(store: Store, now: datetime) -> Iterable[Finding]:
    """The deploys that left something, and the runs whose process died these days."""
    deploys = [
        run
        for status in ENDINGS
        for run in store.history.select(RunFilter(status=status, kind=RunKind.DEPLOY, limit=MOST))
        if _is_open(run)
    ]
    for run in sorted(deploys, key=lambda each: each.id):
        left = ", ".join(each.name for each in run.leftovers) or "perhaps nothing"
        yield About("runs", f"run {run.id}").warning(
            f"the deploy of {run.target} is {run.status}, and has left: {left}",
            f"diaken deploy resume {run.id}, or diaken deploy abort {run.id}",
        )
    died = [
        run
        for run in store.history.select(
            RunFilter(status=RunStatus.INTERRUPTED, since=now - RECENT, limit=MOST)
        )
        if run.kind is not RunKind.DEPLOY
    ]
    for run in died[:SHOWN]:
        yield About("runs", f"run {run.id}").warning(
            f"its process died: {run.playbook or run.kind} on {run.target_type} {run.target}",
            f"see how far it got: diaken history show {run.id}",
        )
    if not deploys and not died:
        yield About("runs", "history").ok("no unfinished deploys")


def _is_open(run: RunRecord) -> bool:
    return bool(run.leftovers) or run.status is RunStatus.INTERRUPTED
