"""Whether cron ticks, with this program and this config file."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from diaken_cli import bounds
from diaken_cli.actions.doctor import killed_writes
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.actions.schedules.status import SchedulerStatus, status
from diaken_cli.config import Config
from diaken_cli.errors import OperationFailed
from diaken_cli.services import cron, programs
from diaken_cli.store import Store

INSTALL = "diaken scheduler install --yes"
CRONTAB = "put these lines into `crontab -e`: diaken scheduler install"


@dataclass(frozen=True)
class Seen:
    """What there is to see of cron, and of the ticks.

    `file` is what the file for all accounts holds, and `wanted` what it should; both are None for
    who is not root. `crontab` is the account's own, None where there is no crontab(1). `scheduler`
    is None where there is no database to tell.
    """

    path: Path
    file: str | None
    wanted: str | None
    crontab: str | None
    scheduler: SchedulerStatus | None

    @property
    def has_line(self) -> bool:
        """Whether cron has a line that ticks for this account."""
        return _ticks_by(self.file) or _ticks_by(self.crontab)

    @property
    def ticks(self) -> bool:
        """Whether there was a tick just now, whoever called it."""
        return self.scheduler is not None and not self.scheduler.late

    @property
    def needed(self) -> bool:
        """Whether there is a task that waits for a tick."""
        return self.scheduler is not None and self.scheduler.next is not None


def check(
    config: Config, store: Store | None, now: datetime, *, path: Path = cron.CRON_D
) -> Iterable[Finding]:
    """Whether cron has its lines, ticks come, and they may carry out anything."""
    file = wanted = None
    if os.geteuid() == 0:
        yield from killed_writes.check(About("cron", str(path)), path.parent)
        file = cron.installed(path)
        wanted = cron.lines(cron.program(), cron.environment(config), user="root")
    scheduler = None if store is None else status(store, now)
    yield from judge(Seen(path, file, wanted, _crontab(), scheduler), now)


def judge(seen: Seen, now: datetime) -> Iterable[Finding]:
    """What that comes to. That cron does not tick is said where nothing ticks, and only once."""
    yield _lines(seen)
    found = seen.scheduler
    if found is None:
        return
    about = About("cron", "ticks")
    if found.paused_until is not None:
        until = "" if found.paused_for_good else f" until {found.paused_until:%Y-%m-%d %H:%M} UTC"
        yield about.warning(f"the scheduler is paused{until}", "diaken scheduler resume")
    if not found.late:
        yield about.ok("the last one is less than 3 minutes ago")
    elif seen.has_line:
        yield about.problem(_late(found, now), "is cron running? systemctl status cron")


def _lines(seen: Seen) -> Finding:
    about = About("cron", "crontab" if seen.wanted is None else str(seen.path))
    if seen.file is not None and seen.wanted is not None:
        return _file(about, seen.file, seen.wanted)
    if seen.has_line:
        return About("cron", "crontab").ok("it has a line with a tick")
    mend = CRONTAB if seen.wanted is None else INSTALL
    if seen.wanted is None and seen.crontab is None:
        mend = f"install cron, then {mend}"
    if seen.ticks:
        said = "cron has no line with a tick; the last one was called by hand, or by something else"
        return about.warning(said, f"unless something else calls it each minute: {mend}")
    if seen.needed:
        return about.problem("cron does not tick, and tasks wait for it", mend)
    said = "cron does not tick: no task is carried out, no snapshot pruned"
    return about.warning(said, mend)


def _file(about: About, there: str, wanted: str) -> Finding:
    if there == wanted:
        return about.ok("as it should be: a tick each minute, prune each hour")
    if cron.MARK not in there.splitlines():
        return about.problem(
            "it was not made by diaken", f"look at it, and move it; then {INSTALL}"
        )
    return about.problem(f"it {_difference(there, wanted)}", INSTALL)


def _late(found: SchedulerStatus, now: datetime) -> str:
    if found.last_tick is None:
        return "there was never one, though cron has its line"
    minutes = (now - found.last_tick).total_seconds() // 60
    return f"the last one was {minutes:.0f} minutes ago; cron should call each minute"


def _ticks_by(lines: str | None) -> bool:
    """Whether a crontab has a line with a tick that is no comment."""
    commands = (line for line in (lines or "").splitlines() if not line.lstrip().startswith("#"))
    return any("scheduler tick" in line for line in commands)


def _crontab() -> str | None:
    """This account's crontab; None where there is no cron."""
    if shutil.which("crontab") is None:
        return None
    try:
        return programs.run(["crontab", "-l"], seconds=bounds.CRONTAB_SECONDS).text
    except programs.Killed as fault:
        raise OperationFailed(f"crontab -l {fault}", hint="Call it by hand.") from None


def _difference(there: str, wanted: str) -> str:
    """How the file differs from what it should be."""
    lines = set(there.splitlines())
    missing = [line for line in wanted.splitlines() if line not in lines]
    return f"is not what it would be now: it lacks {missing[0]!r}" if missing else "has more lines"
