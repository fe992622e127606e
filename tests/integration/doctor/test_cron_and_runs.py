"""What the doctor says of cron and of runs."""

from datetime import timedelta
from pathlib import Path

import pytest

from diaken_cli.actions.doctor import Finding, Health, database, services
from diaken_cli.caller import now
from diaken_cli.config import load
from diaken_cli.services import cron as crontab
from diaken_cli.store import Store
from diaken_cli.types import RunKind, RunStatus, StepStatus, TargetType
from tests.integration.doctor.findings import only, told
from tests.seeding import Seeded, begin


def test_cron(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "cron"
    config = load(None, {"HOME": str(tmp_path), "DIAKEN_DATABASE": str(store.path)})

    def look() -> list[Finding]:
        return list(services.check_cron(config, store, now(), path=file))

    assert told(look()).startswith("warning: cron does not run diaken")
    file.write_text("# by hand\n")
    assert "not written by diaken" in told(look())
    wanted = crontab.lines(crontab.program(), crontab.environment(config), user="root")
    file.write_text(wanted)
    assert "no tick so far" in told(look())
    assert only(services.check_cron(config, None, now(), path=file)).status is Health.OK
    store.beside("tick").touch()
    assert [each.status for each in look()] == [Health.OK] * 2
    file.write_text(wanted.replace(str(crontab.program()), "/opt/old/diaken"))
    assert told(look()).endswith("| diaken scheduler install --yes")
    file.write_text(wanted)
    store.schedules.pause(now() + timedelta(hours=1))
    assert "diaken scheduler resume" in told(look())


def died(store: Store, *, holds: bool, kind: RunKind = RunKind.PLAYBOOK) -> Seeded:
    """A run whose process died, a deploy before it had changed anything."""
    run = begin(store, kind, "web01", playbook=None if kind is RunKind.DEPLOY else "update")
    store.dead_runs.interrupt(run.id, run.attempt.lock, now(), orphans=holds)
    return run


def test_runs_that_died_and_left_nothing_are_not_told_of(store: Store) -> None:
    died(store, holds=False)
    died(store, holds=False, kind=RunKind.DEPLOY)
    assert only(database.check_runs(store)).text == "no unfinished runs"


def test_a_run_that_died_is_told_of_as_long_as_it_holds_its_hosts(store: Store) -> None:
    run = died(store, holds=True)
    found = told(database.check_runs(store))
    assert found.startswith("warning: update on group web01 died; its hosts are still locked")
    assert found.endswith(f"| diaken history cancel {run.id}")
    (dead,) = store.dead_runs.with_orphans(run.id)
    store.dead_runs.free(dead, None)
    assert only(database.check_runs(store)).status is Health.OK


def test_a_success_whose_vm_still_bears_the_identity_is_told_of(store: Store) -> None:
    run = begin(store, RunKind.DEPLOY, "db07", target_type=TargetType.VM, playbook=None)
    run.step(6, "activate")
    run.end(RunStatus.SUCCESS)
    found = told(database.check_runs(store))
    assert found == (
        "warning: the VM of the deploy of db07 still carries the run's identity"
        f" | diaken deploy resume {run.id}"
    )
    store.steps.note_facts(run.id, 6, {"unmarked": True})
    assert only(database.check_runs(store)).status is Health.OK


@pytest.mark.parametrize("ending", [RunStatus.FAILED, RunStatus.CANCELED, RunStatus.INTERRUPTED])
def test_a_deploy_is_told_of_as_long_as_it_has_left_something(
    store: Store, ending: RunStatus
) -> None:
    run = begin(store, RunKind.DEPLOY, "db07", target_type=TargetType.VM, playbook=None)
    run.step(0, "validate")
    run.step(1, "register")
    run.step(2, "clone", StepStatus.FAILED)
    run.end(ending)
    for _ in range(3):  # runs without leftovers don't hide it
        died(store, holds=False)
    found = told(database.check_runs(store))
    assert found.startswith(
        f"warning: the deploy of db07 is {ending} and left behind the host, the VM"
    )
    assert found.endswith(f"diaken deploy resume {run.id}, or diaken deploy abort {run.id}")
    for position in (1, 2):
        store.steps.end(run.id, position, StepStatus.UNDONE, None, now())
    assert only(database.check_runs(store)).status is Health.OK
