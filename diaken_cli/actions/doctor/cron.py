"""Whether cron ticks, with this program and this config file."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from diaken_cli.actions.doctor import killed_writes
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.actions.schedules.status import SchedulerStatus, status
from diaken_cli.config import Config
from diaken_cli.services import cron
from diaken_cli.store import Store
from diaken_cli.words import ScheduleStatus

INSTALL = "diaken scheduler install --yes"
CRONTAB = "put these lines into `crontab -e`: diaken scheduler install"


def check_lines(config: Config, *, needed: bool, path: Path = cron.CRON_D) -> Iterable[Finding]:
    """Whether cron has the lines that it should; `needed`: there are tasks that wait for it."""
    if os.geteuid() != 0:
        yield from _own_lines(needed=needed)
        return
    about = About("cron", str(path))
    yield from killed_writes.check(about, path.parent)
    there = cron.installed(path)
    wanted = cron.lines(cron.program(), cron.environment(config), user="root")
    if there is None:
        yield _missing(about, INSTALL, needed=needed)
    elif there == wanted:
        yield about.ok("as it should be: a tick each minute, prune each hour")
    elif cron.MARK not in there.splitlines():
        yield about.problem("it was not made by diaken", f"look at it, and move it; then {INSTALL}")
    else:
        yield about.problem(f"it {_difference(there, wanted)}", INSTALL)


def check_ticks(store: Store, now: datetime, *, installed: bool) -> Iterable[Finding]:
    """Whether ticks come, and whether they may carry out anything."""
    about = About("cron", "ticks")
    found = status(store, now)
    if found.paused_until is not None:
        until = "" if found.paused_for_good else f" until {found.paused_until:%Y-%m-%d %H:%M} UTC"
        yield about.warning(f"the scheduler is paused{until}", "diaken scheduler resume")
    if found.late and installed:
        yield about.problem(_late(found, now), "is cron running? systemctl status cron")
    elif not found.late:
        yield about.ok("the last one is less than 3 minutes ago")


def has_tasks(store: Store) -> bool:
    """Whether there are tasks that wait for a tick."""
    tasks = store.schedules.tasks(include_ended=False)
    return any(task.status is ScheduleStatus.PENDING for task in tasks)


def is_installed() -> bool:
    """Whether cron has a line with a tick, of this account or for all."""
    if cron.CRON_D.exists():
        return True
    return "scheduler tick" in (_crontab() or "")


def _late(found: SchedulerStatus, now: datetime) -> str:
    if found.last_tick is None:
        return "there was never one, though cron has its line"
    minutes = (now - found.last_tick).total_seconds() // 60
    return f"the last one was {minutes:.0f} minutes ago; cron should call each minute"


def _missing(about: About, mend: str, *, needed: bool) -> Finding:
    if needed:
        return about.problem("cron does not tick, and tasks wait for it", mend)
    said = "cron does not tick: no task is carried out, no snapshot pruned"
    return about.warning(said, mend)


def _own_lines(*, needed: bool) -> Iterable[Finding]:
    about = About("cron", "crontab")
    lines = _crontab()
    if lines is None:
        yield about.warning("there is no crontab(1) here", "install cron")
    elif "scheduler tick" in lines:
        yield about.ok("it has a line with a tick")
    else:
        yield _missing(about, CRONTAB, needed=needed)


def _crontab() -> str | None:
    """This account's crontab; None where there is no cron."""
    if shutil.which("crontab") is None:
        return None
    done = subprocess.run(
        ["crontab", "-l"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=10,
        check=False,
    )
    return done.stdout


def _difference(there: str, wanted: str) -> str:
    """How the file differs from what it should be."""
    lines = set(there.splitlines())
    missing = [line for line in wanted.splitlines() if line not in lines]
    return f"is not what it would be now: it lacks {missing[0]!r}" if missing else "has more lines"
