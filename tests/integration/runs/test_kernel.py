"""The kernel: hosts chosen as they are locked, steps that come again, a pause, listeners."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from diaken_cli import liveness
from diaken_cli.config import load
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, Locked, OperationFailed
from diaken_cli.events import Event, HostFinished, RunWaiting, Warned
from diaken_cli.outcome import Effect, StepEnd
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.runs.dead_runs import reap
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.runs import Attempt, NewRun, Selection
from diaken_cli.types import (
    HostCounters,
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
)
from tests.seeding import MORNING, add_hosts, selecting
from tests.waiting import until

NEW = NewRun(RunKind.PLAYBOOK, TargetType.GROUP, "web", {"v": 1}, "root", playbook="update")


def no_vcenter(name: str) -> NoReturn:
    raise AssertionError(name)


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Context:
    return Context(store, load(None, {"HOME": str(tmp_path)}), no_vcenter, Stop())


def finish(run: ActiveRun, host: HostRecord, status: HostStatus, changed: int = 1) -> None:
    counters = HostCounters(ok=2, changed=changed, failed=int(status is HostStatus.FAILED))
    run.emit(HostFinished(result=HostResult(host.name, host.ip, status, counters)))


def status_of(store: Store, run_id: int) -> RunStatus:
    found = store.history.find(run_id)
    assert found is not None
    return found.run.status


def test_a_run_that_waited_is_about_the_hosts_of_the_moment_at_which_it_begins(
    store: Store, context: Context
) -> None:
    """While it waits one of them goes out of use, and another one gets another address."""
    web01, web02, web03 = add_hosts(store, ["web01", "web02", "web03"])
    told: list[Event] = []

    def select() -> Selection[str]:
        return Selection(NEW, tuple(store.inventory.hosts()), "chosen now")

    holder = store.runs.begin(selecting(NEW, web01), Attempt("a", "n", 1), MORNING)

    def change_and_let_go() -> None:
        until(lambda: any(isinstance(event, RunWaiting) for event in told), "it waits")
        values = HostValues(web02.ip, web02.environment_id, web02.group_ids)
        store.inventory.set_host(web02, replace(values, active=False))
        store.inventory.set_host(web03, replace(values, ip="10.0.4.99"))
        store.runs.finish(holder.id, "a", RunStatus.SUCCESS, None, MORNING)

    (store.beside("runs")).mkdir(mode=0o700, exist_ok=True)
    with liveness.hold(store.beside("runs") / "a"):
        thread = threading.Thread(target=change_and_let_go)
        thread.start()
        with begin(context, select, subscribers=[told.append], wait=60) as (run, payload):
            assert payload == "chosen now"
            assert [(host.name, host.ip) for host in run.hosts] == [
                ("web01", web01.ip),
                ("web03", "10.0.4.99"),
            ]
            assert set(store.runs.locked()) == {web01.id, web03.id}
        thread.join()


def test_a_step_may_come_again_and_its_results_are_folded_into_those_of_the_run(
    store: Store, context: Context
) -> None:
    """Two batches, each with a playbook; on one host both of them did something."""
    web01, web02 = add_hosts(store, ["web01", "web02"])
    hosts = (web01, web02)
    with begin(context, selecting(NEW, *hosts), subscribers=[]) as (run, _):
        run.begin_step(0, "playbook", "batch 1", batch=1)
        finish(run, web01, HostStatus.SUCCESS)
        run.end_step(0, StepEnd())
        run.begin_step(1, "playbook", "batch 2", batch=2)
        finish(run, web01, HostStatus.FAILED)
        finish(run, web02, HostStatus.SUCCESS)
        run.end_step(1, StepEnd(StepStatus.FAILED))
    found = store.history.find(run.id)
    assert found is not None
    assert [(step.name, step.position, step.batch) for step in found.steps] == [
        ("playbook", 0, 1),
        ("playbook", 1, 2),
    ]
    assert [(host.host, host.status, host.counters) for host in found.hosts] == [
        ("web01", "failed", HostCounters(ok=4, changed=2, failed=1)),
        ("web02", "success", HostCounters(ok=2, changed=1)),
    ]
    assert (found.run.hosts, found.run.ok_hosts, found.run.failed_hosts) == (2, 1, 1)
    of_steps = [(at, each.host, each.status) for at, each in store.history.step_results(run.id)]
    assert of_steps == [
        (0, "web01", "success"),
        (1, "web01", "failed"),
        (1, "web02", "success"),
    ]


def test_a_paused_run_has_no_process_and_keeps_its_locks_and_its_journal(
    store: Store, context: Context
) -> None:
    web01, web02 = add_hosts(store, ["web01", "web02"])
    hosts, until = (web01, web02), MORNING + timedelta(days=7)
    with begin(context, selecting(NEW, *hosts), subscribers=[]) as (run, _):
        run.begin_step(0, "playbook", "batch 1", batch=1)
        finish(run, web01, HostStatus.SUCCESS)
        run.end_step(0, StepEnd(effect=Effect.PAUSES, until=until))
        assert status_of(store, run.id) is RunStatus.RUNNING, "until this process leaves it"
    found = store.history.find(run.id)
    assert found is not None
    assert [each.host for each in found.hosts] == ["web01"], "its results so far"
    assert (found.run.status, found.run.paused_until) == ("paused", until)
    assert (found.run.lock, found.run.finished_at) == (None, None)
    assert list(store.beside("runs").iterdir()) == []
    reap(store)
    assert status_of(store, run.id) is RunStatus.PAUSED, "it is not dead"
    assert set(store.runs.locked()) == {web01.id, web02.id}
    assert store.history.remove_old(until) == 0, "it is not old either"
    with pytest.raises(Locked, match=f"locked by run {run.id} of root"):
        store.runs.begin(selecting(NEW, *hosts), Attempt("b", "n", 1), MORNING)

    resumed = selecting(run.id, *hosts)
    with begin(context, resumed, subscribers=[]) as (again, _):
        assert (again.id, again.uid) == (run.id, run.uid)
        with pytest.raises(Conflict, match="is running"):
            store.runs.begin(resumed, Attempt("c", "n", 1), MORNING)
        again.begin_step(1, "playbook", "batch 2", batch=2)
        finish(again, web02, HostStatus.SUCCESS)
        again.end_step(1, StepEnd())
    found = store.history.find(run.id)
    assert found is not None
    assert (found.run.status, found.run.paused_until) == ("success", None)
    assert [host.host for host in found.hosts] == ["web01", "web02"], "those of before, too"
    assert store.runs.locked() == {}


def test_what_is_raised_goes_before_a_pause(store: Store, context: Context) -> None:
    def pause_and_fail() -> None:
        with begin(context, selecting(NEW), subscribers=[]) as (run, _):
            run.begin_step(0, "hold", "wait")
            run.end_step(0, StepEnd(effect=Effect.PAUSES))
            raise OperationFailed("no")

    with pytest.raises(OperationFailed):
        pause_and_fail()
    assert status_of(store, 1) is RunStatus.FAILED


def test_a_step_that_is_done_again_begins_without_results(store: Store, context: Context) -> None:
    (web01,) = add_hosts(store, ["web01"])
    with begin(context, selecting(NEW, web01), subscribers=[]) as (run, _):
        run.begin_step(0, "playbook", "once")
        finish(run, web01, HostStatus.SUCCESS)
        run.end_step(0, StepEnd())
        run.begin_step(0, "playbook", "again")
        assert store.history.step_results(run.id) == []
        run.end_step(0, StepEnd(StepStatus.FAILED))


def test_of_two_that_take_a_run_up_one_wins(store: Store, context: Context) -> None:
    with (
        pytest.raises(OperationFailed),
        begin(context, selecting(NEW), subscribers=[]) as (run, _),
    ):
        raise OperationFailed("no")
    wins, threads = list[int](), list[threading.Thread]()

    def take_up(number: int) -> None:
        try:
            store.runs.begin(selecting(run.id), Attempt(f"{number}", "n", 1), MORNING)
        except Conflict:
            return
        wins.append(number)

    for number in range(8):
        threads.append(threading.Thread(target=take_up, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1


def test_a_subscriber_that_fails_is_dropped_and_the_others_hear_all(
    store: Store, context: Context, capfd: pytest.CaptureFixture[str]
) -> None:
    heard, calls = list[Event](), list[Event]()

    def broken(event: Event) -> None:
        calls.append(event)
        raise ValueError("no such terminal")

    with begin(context, selecting(NEW), subscribers=[broken, heard.append]) as (run, _):
        run.warn("look")
    assert len(calls) == 1
    assert [event.type for event in heard] == ["run_started", "warning", "run_finished"]
    assert capfd.readouterr().err == "warning: output stopped: no such terminal\n"
    assert status_of(store, run.id) is RunStatus.SUCCESS


def test_the_moment_of_a_task_is_refused_by_the_database_where_another_run_has_it(
    store: Store,
) -> None:
    moment = replace(NEW, scheduled_task_id=1, due_at=MORNING)
    with pytest.raises(Conflict) as refused:
        store.runs.begin(selecting(moment), Attempt("a", "n", 1), MORNING)
    assert refused.value.code == "taken"
    assert store.dead_runs.running() == []


def test_what_is_noted_before_an_effect_is_on_the_disk_before_it(store: Store) -> None:
    with store.database.writing(durable=True) as session:
        assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with store.database.writing() as session:
        assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_what_a_selection_reads_is_what_its_transaction_sees(store: Store) -> None:
    """Also what the transaction itself has written; and it can't write by another one."""
    (web01,) = add_hosts(store, ["web01"])
    with store.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE host SET ip = '10.0.4.77'")
        (host,) = store.inventory.hosts()
        assert host.ip == "10.0.4.77"
        with pytest.raises(AssertionError, match="in another one"):
            store.inventory.remove_host(web01)


def test_a_warning_is_told_with_its_host(store: Store, context: Context) -> None:
    heard = list[Event]()
    with begin(context, selecting(NEW), subscribers=[heard.append]) as (run, _):
        run.warn("it is slow", host="web01")
    (warned,) = [event for event in heard if isinstance(event, Warned)]
    assert (warned.message, warned.host) == ("it is slow", "web01")
