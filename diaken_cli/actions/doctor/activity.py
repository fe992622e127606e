"""Checks cron (does it tick, with this program and config file?) and runs that left something."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from diaken_cli import bounds
from diaken_cli.actions.doctor.findings import Check, Finding
from diaken_cli.actions.doctor.local_files import check_unfinished_writes
from diaken_cli.actions.schedules.moments import SchedulerStatus, scheduler_status
from diaken_cli.config import Config
from diaken_cli.errors import OperationFailed
from diaken_cli.services import cron, programs
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunFilter, RunRecord
from diaken_cli.text import join_names
from diaken_cli.types import RunKind, RunStatus

ENDINGS = (RunStatus.INTERRUPTED, RunStatus.FAILED, RunStatus.CANCELED, RunStatus.SUCCESS)
MAX_RUNS = 200  # of each ending, the newest
STEP_LEAVES = {"register": "the host", "clone": "the VM"}
INSTALL = "diaken scheduler install --yes"
EDIT_CRONTAB = "Add the lines that `diaken scheduler install` prints: crontab -e"


# ── runs ─────────────────────────────────────────────────────────────────────────────────────


def check_runs(store: Store) -> Iterable[Finding]:
    """The deploys that left something, and the runs that died and still lock their hosts.

    Of a run that died and left nothing there is no finding.
    """
    filters = [RunFilter(status=status, kind=RunKind.DEPLOY, limit=MAX_RUNS) for status in ENDINGS]
    filters.append(RunFilter(status=RunStatus.INTERRUPTED, limit=MAX_RUNS))
    runs = {run.id: run for chosen in filters for run in store.history.select(chosen)}
    findings = [finding for number in sorted(runs) for finding in _check_run(runs[number])]
    yield from findings
    if not findings:
        yield Check("runs", "history").ok("no unfinished runs")


def _check_run(run: RunRecord) -> Iterable[Finding]:
    check = Check("runs", f"run {run.id}")
    if run.leftovers and run.status is RunStatus.SUCCESS:
        yield check.warning(
            f"the VM of the deploy of {run.target} still carries the run's identity",
            f"diaken deploy resume {run.id}",
        )
    elif run.leftovers:
        leftovers = join_names([STEP_LEAVES.get(step.name, step.name) for step in run.leftovers])
        yield check.warning(
            f"the deploy of {run.target} is {run.status} and left behind {leftovers}",
            f"diaken deploy resume {run.id}, or diaken deploy abort {run.id}",
        )
    elif run.status is RunStatus.INTERRUPTED and run.lock is not None:
        what = run.playbook or run.kind
        yield check.warning(
            f"{what} on {run.target_type} {run.target} died; its hosts are still locked",
            f"diaken history cancel {run.id}",
        )


# ── cron ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class CronState:
    """What cron has for this account, and what the database knows of ticks.

    `file` is the content of the file in /etc/cron.d, and `wanted` what it should be; both are None
    for another account than root. `crontab` is the account's own, None where there is no
    crontab(1). `scheduler` is None where there is no database.
    """

    path: Path
    file: str | None
    wanted: str | None
    crontab: str | None
    scheduler: SchedulerStatus | None

    @property
    def has_line(self) -> bool:
        """Whether cron has a line that ticks for this account."""
        return _has_tick(self.file) or _has_tick(self.crontab)

    @property
    def ticks(self) -> bool:
        """Whether there was a tick just now, whoever called it."""
        return self.scheduler is not None and not self.scheduler.late

    @property
    def needed(self) -> bool:
        """Whether there is a task that waits for a tick."""
        return self.scheduler is not None and self.scheduler.next is not None


def check_cron(
    config: Config, store: Store | None, now: datetime, *, path: Path = cron.CRON_D
) -> Iterable[Finding]:
    """Whether cron has its lines, whether it ticks, and whether tasks are paused."""
    file = wanted = None
    if os.geteuid() == 0:
        yield from check_unfinished_writes(Check("cron", str(path)), path.parent)
        file = cron.installed(path)
        wanted = cron.lines(cron.program(), cron.environment(config), user="root")
    scheduler = None if store is None else scheduler_status(store, now)
    yield from judge_cron(CronState(path, file, wanted, _read_crontab(), scheduler), now)


def judge_cron(state: CronState, now: datetime) -> Iterable[Finding]:
    """The findings of a state; cron need not tick where something else does. Pure."""
    yield _judge_lines(state)
    scheduler = state.scheduler
    if scheduler is None:
        return
    check = Check("cron", "ticks")
    if scheduler.paused_until is not None:
        until = f" until {scheduler.paused_until:%Y-%m-%d %H:%M} UTC"
        until = "" if scheduler.paused_for_good else until
        yield check.warning(f"the scheduler is paused{until}", "diaken scheduler resume")
    if not scheduler.late:
        yield check.ok("last tick less than 3 minutes ago")
    elif state.has_line:
        yield check.problem(
            _late(scheduler, now), "Check that cron is running: systemctl status cron"
        )


def _judge_lines(state: CronState) -> Finding:
    check = Check("cron", "crontab" if state.wanted is None else str(state.path))
    if state.file is not None and state.wanted is not None:
        return _judge_file(check, state.file, state.wanted)
    if state.has_line:
        return Check("cron", "crontab").ok("runs `scheduler tick`")
    hint = EDIT_CRONTAB if state.wanted is None else INSTALL
    if state.wanted is None and state.crontab is None:
        hint = f"Install cron (apt-get install cron). {EDIT_CRONTAB}"
    if state.ticks:
        text = "cron has no line for `scheduler tick`; the last one was started by something else"
        return check.warning(text, f"Unless that runs every minute: {hint}")
    if state.needed:
        return check.problem("cron does not run `scheduler tick`, and tasks are waiting", hint)
    return check.warning("cron does not run diaken: no task starts, no snapshot is pruned", hint)


def _judge_file(check: Check, file: str, wanted: str) -> Finding:
    if file == wanted:
        return check.ok("up to date: tick every minute, prune every hour")
    if cron.MARK not in file.splitlines():
        hint = f"Check it and move it away; then: {INSTALL}"
        return check.problem("was not written by diaken", hint)
    return check.problem(_difference(file, wanted), INSTALL)


def _late(scheduler: SchedulerStatus, now: datetime) -> str:
    if scheduler.last_tick is None:
        return "no tick so far, although cron has its line"
    minutes = (now - scheduler.last_tick).total_seconds() // 60
    return f"the last tick was {minutes:.0f} minutes ago; cron should start one every minute"


def _has_tick(lines: str | None) -> bool:
    """Whether a crontab has a line with a tick that is no comment."""
    commands = (line for line in (lines or "").splitlines() if not line.lstrip().startswith("#"))
    return any("scheduler tick" in line for line in commands)


def _read_crontab() -> str | None:
    """This account's crontab; None where there is no cron."""
    if shutil.which("crontab") is None:
        return None
    try:
        return programs.run(["crontab", "-l"], seconds=bounds.CRONTAB_SECONDS).stdout_text
    except programs.ProgramKilled as fault:
        raise OperationFailed(f"crontab -l {fault}", hint="Run it by hand: crontab -l") from None


def _difference(file: str, wanted: str) -> str:
    """How the file differs from what it should be."""
    lines = set(file.splitlines())
    missing = [line for line in wanted.splitlines() if line not in lines]
    return f"is out of date: it lacks {missing[0]!r}" if missing else "has extra lines"
