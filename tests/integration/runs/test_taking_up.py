"""A deploy that is taken up again: stopped at once, or changed by another process meanwhile."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import update
from sqlmodel import col

from diaken_cli.actions.deploy.flow import abort, resume
from diaken_cli.actions.vcenters import session_of
from diaken_cli.config import load
from diaken_cli.context import Context
from diaken_cli.errors import Canceled, Conflict, NotFound
from diaken_cli.events import Emit, Event, RunStarted
from diaken_cli.models.results import RunStep
from diaken_cli.models.runs import Run
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.dead_runs import reap
from diaken_cli.services.ansible import tracking
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues
from diaken_cli.store.run_records import MAYBE_OFF
from diaken_cli.types import RunKind, RunStatus, StepStatus, TargetType, to_stored
from tests.seeding import MORNING, Seeded, begin
from tests.unit.runs.test_stopping import handling
from tests.waiting import PATIENCE, until


def no_vcenter(name: str) -> NoReturn:
    raise AssertionError(name)


@pytest.fixture
def died(store: Store) -> Seeded:
    """A deploy whose process died in the middle of its second step."""
    environment = store.inventory.add_environment("PROD")
    request = DeployRequest(
        name="db01",
        ip="10.0.4.31",
        prefix=24,
        environment="PROD",
        vcenter="main",
        template="debian12",
    )
    run = begin(
        store,
        RunKind.DEPLOY,
        "db01",
        target_type=TargetType.VM,
        playbook=None,
        request=to_stored(request),
    )
    run.step(0, "validate", facts={"placement": {}})
    run.step(1, "register", None)
    values = HostValues("10.0.4.31", environment.id, active=False)
    store.deploys.register(run.id, "db01", values, MORNING)
    store.dead_runs.interrupt(run.id, run.attempt.lock, MORNING)
    return run


@pytest.fixture
def left_running(store: Store, died: Seeded) -> Iterator[subprocess.Popen[bytes]]:
    """An Ansible that outlived the process of that deploy."""
    with store.database.writing() as session:
        session.execute(update(Run).where(col(Run.id) == died.id).values(lock=died.attempt.lock))
    environ = os.environ | {tracking.MARK: died.begun.uid}
    with subprocess.Popen(["sleep", "60"], env=environ, start_new_session=True) as process:
        yield process
        process.kill()


def context_of(store: Store, folder: Path, stop: Stop) -> Context:
    config = load(None, {"HOME": str(folder), "DIAKEN_HOSTS_FILE_ENABLED": "false"})
    return Context(store, config, no_vcenter, stop)


@pytest.fixture
def stop() -> Iterator[Stop]:
    with handling() as stop:
        yield stop


def test_stopped_before_its_first_step_it_is_undone(
    store: Store, died: Seeded, stop: Stop, tmp_path: Path
) -> None:
    def stop_it(event: Event) -> None:
        if isinstance(event, RunStarted):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Canceled, match="stopped by SIGINT"):
        resume(died.id, context_of(store, tmp_path, stop), stop_it)

    found = store.history.find(died.id)
    assert found is not None
    assert (found.run.status, found.run.leftovers) == ("canceled", ())
    assert [(step.name, step.status) for step in found.steps] == [
        ("validate", "success"),
        ("register", "undone"),
    ]
    assert store.inventory.hosts(include_inactive=True) == []


@pytest.mark.parametrize("action", [resume, abort])
def test_an_ansible_that_outlived_it_is_ended_first(
    store: Store,
    died: Seeded,
    left_running: subprocess.Popen[bytes],
    stop: Stop,
    tmp_path: Path,
    action: Callable[[int, Context, Emit], None],
) -> None:
    """Who takes up that very run decides about what is left of it: nobody has to be asked."""
    ended_when_it_began: list[int | None] = []

    def stop_it(event: Event) -> None:
        if isinstance(event, RunStarted):
            ended_when_it_began.append(left_running.poll())
            if action is resume:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Canceled, match="stopped by SIGINT") if action is resume else nullcontext():
        action(died.id, context_of(store, tmp_path, stop), stop_it)

    assert ended_when_it_began == [-signal.SIGKILL]
    assert store.dead_runs.with_orphans() == []
    found = store.history.find(died.id)
    assert found is not None
    assert (found.run.status, found.run.leftovers) == ("canceled", ())


def test_what_another_process_has_undone_meanwhile_is_not_taken_up(
    store: Store, died: Seeded, stop: Stop, tmp_path: Path
) -> None:
    """It has been read already when the other one, which holds the database, ends its abort."""
    refused: list[BaseException] = []

    def take_up() -> None:
        try:
            resume(died.id, context_of(store, tmp_path, stop), lambda _: None)
        except Conflict as conflict:
            refused.append(conflict)

    other, folder = Store(store.path), store.beside("runs")
    thread = threading.Thread(target=take_up)
    with other.database.writing() as session:
        thread.start()
        until(lambda: folder.exists() and list(folder.iterdir()), "it has read, and wants to begin")
        session.execute(update(RunStep).values(status=StepStatus.UNDONE))
        ended = {"status": RunStatus.CANCELED, "finished_at": MORNING}
        session.execute(update(Run).where(col(Run.id) == died.id).values(**ended))
    thread.join(PATIENCE)
    (conflict,) = refused
    assert "left nothing to resume or undo" in str(conflict)
    found = store.history.find(died.id)
    assert found is not None
    assert found.run.status == "canceled"


def test_where_the_vcenter_is_gone_with_the_identity_on_its_vm_the_way_out_is_said(
    store: Store, died: Seeded, stop: Stop, tmp_path: Path
) -> None:
    died.step(2, "clone", facts={"vm": "vm-7", "vm_uuid": "uuid-7"})
    died.step(6, "activate")
    with store.database.writing() as session:
        success = {"status": RunStatus.SUCCESS, "error": None}
        session.execute(update(Run).where(col(Run.id) == died.id).values(**success))
    context = replace(context_of(store, tmp_path, stop), connect=partial(session_of, store))

    with pytest.raises(NotFound, match="vCenter main was removed from the inventory") as gone:
        resume(died.id, context, lambda _: None)

    again = f"Add it again: diaken vcenters add main … Then: diaken deploy resume {died.id}"
    assert gone.value.hint == again


def test_a_revert_that_died_says_which_vms_may_be_off(store: Store) -> None:
    run = begin(store, RunKind.SNAPSHOT, playbook=None, request={"action": "revert"})
    run.step(0, "revert", None, facts={MAYBE_OFF: ["web02", "web03"]})
    reap(store)
    found = store.history.find(run.id)
    assert found is not None
    assert found.run.error == {
        "code": "interrupted",
        "message": "the process of this run died; VMs that were on before may be off: web02, web03",
        "hint": "Power on in vCenter what is off.",
    }
