"""What changes between a question, or a wait for another run, and the moment the hosts are locked.

What is done is judged by what is there then, and never goes beyond what was said yes to.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import remove_snapshot
from diaken_cli.services.vsphere.vms import VirtualMachine, power_off, power_on, power_state
from tests.e2e.cli import PATIENCE, Done
from tests.e2e.snapshots.snapshotting import (
    AUTOMATIC,
    Snapshotting,
    held,
    ids,
    machines,
    present,
    take,
)
from tests.integration.vsphere.simulator import Simulator, finish
from tests.waiting import until

NAME = "web01"


@pytest.fixture
def vms(session: Session) -> list[VirtualMachine]:
    return machines(session)


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator, session: Session) -> Snapshotting:
    cli = Snapshotting(tmp_path, {"main": simulator})
    first, second, _ = machines(session)
    cli.add_host("main", NAME, first.addresses[0], first.instance_uuid)
    cli.add_host("main", "floating", second.addresses[0])
    return cli


def looked(simulator: Simulator) -> None:
    """Until vCenter was asked for its clock, which is the last thing that a look asks for."""
    until(lambda: "CurrentTime" in simulator.calls(), "it looked")


@contextmanager
def waiting(
    cli: Snapshotting,
    simulator: Simulator,
    *words: str,
    host: str = NAME,
    group: str | None = None,
    call: Callable[..., Done] | None = None,
    **options: Any,
) -> "Iterator[Future[Done]]":
    """A call that has looked, and waits for the host until the context is left."""
    record = cli.store.inventory.host(host)
    assert record is not None
    simulator.calls()
    with ThreadPoolExecutor(1) as pool:
        with held(cli.store, record):
            on = ("--group", group) if group else ("--host", host)
            said = (*words, *on, "--wait", "5m")
            future = pool.submit(partial(call or cli.run, *said, **options))
            looked(simulator)
            yield future
            assert not future.done()
        future.result(PATIENCE)


def confirmed(
    cli: Snapshotting, simulator: Simulator, *words: str, host: str = NAME
) -> "AbstractContextManager[Future[Done]]":
    """The same at a terminal, where it is said yes to."""
    answers = [("[y/N]", "y")]
    return waiting(cli, simulator, *words, host=host, call=cli.at_a_terminal, answers=answers)


def test_the_power_state_is_that_of_the_moment_the_host_is_locked(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    take(session, vms[0], "before")
    revert = ("snapshots", "revert", "before", "--yes", "--json")
    with waiting(cli, simulator, *revert) as future:
        finish(session, power_off(session, vms[0].ref))
    done = future.result()
    assert done.status == 0, done.err
    assert json.loads(done.out)["status"] == "success"
    assert power_state(session, vms[0].ref) == "off", "it was off when the run began"

    with waiting(cli, simulator, *revert) as future:
        finish(session, power_on(session, vms[0].ref))
    assert future.result().status == 0
    assert power_state(session, vms[0].ref) == "on", "it was on when the run began"


def test_a_name_is_that_of_the_snapshot_that_has_it_when_the_host_is_locked(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    first = take(session, vms[0], "before")
    remove = ("snapshots", "remove", "before", "--yes", "--json")
    with waiting(cli, simulator, *remove) as future:
        finish(session, remove_snapshot(session, first))
        take(session, vms[0], "before")
    assert future.result().status == 0, future.result().out
    assert present(session) == set()

    last = take(session, vms[0], "before")
    with waiting(cli, simulator, *remove) as future:
        finish(session, remove_snapshot(session, last))
    done = future.result()
    assert (done.status, json.loads(done.out)["error"]["code"]) == (11, "not_found")
    runs = cli.json("history", "list", "--kind", "snapshot")
    assert [run["status"] for run in runs] == ["success"], "the other one did nothing"


def test_the_hosts_of_a_group_are_those_that_it_has_when_they_are_locked(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    for vm in vms:
        take(session, vm, "before")
    words = ("snapshots", "remove", "before", "--yes", "--json")
    with waiting(cli, simulator, *words, group="web") as future:
        cli.json("hosts", "set", "floating", "--inactive")
        cli.add_host("main", "late", vms[2].addresses[0])
    run = json.loads(future.result().out)
    assert [(each["host"], each["status"]) for each in run["hosts"]] == [
        ("late", "success"),
        (NAME, "success"),
    ]
    assert len(present(session)) == 1, "that of the host which is inactive by now"


def test_nothing_beyond_what_was_confirmed_is_done(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    first = take(session, vms[0], "before")
    others = {take(session, vm, "before") for vm in vms[1:]}
    revert = ("snapshots", "revert", "before")
    remove = ("snapshots", "remove", "before")

    with confirmed(cli, simulator, *revert) as future:
        finish(session, power_off(session, vms[0].ref))
    refused(future.result(), f"{NAME}: its VM was on and is off now")

    with confirmed(cli, simulator, *revert, host="floating") as future:
        simulator.order("guest", vm=vms[1].ref, ip="10.77.0.250")
        simulator.order("guest", vm=vms[2].ref, ip=vms[1].addresses[0])
    refused(future.result(), "floating: has another VM now")

    with confirmed(cli, simulator, *remove) as future:
        finish(session, remove_snapshot(session, first))
        again = take(session, vms[0], "before")
    refused(future.result(), f"{NAME}: 'before' is another snapshot now")
    assert present(session) == {*others, again}

    with confirmed(cli, simulator, *remove) as future:
        finish(session, remove_snapshot(session, again))
    refused(future.result(), f"{NAME}: it has no snapshot 'before' now")

    assert present(session) == others
    assert cli.json("history", "list", "--kind", "snapshot") == []


@contextmanager
def pruning(cli: Snapshotting, simulator: Simulator) -> "Iterator[Future[Done]]":
    """A prune that has looked, and can lock no host until the context is left."""
    simulator.calls()
    with ThreadPoolExecutor(1) as pool:
        with closing(sqlite3.connect(cli.database, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            future = pool.submit(cli.run, "snapshots", "prune", "--json")
            looked(simulator)
            yield future
            assert not future.done()
        future.result(PATIENCE)


def old(simulator: Simulator, session: Session, vm: VirtualMachine) -> str:
    ref = take(session, vm, AUTOMATIC)
    simulator.order("backdate", vm=vm.ref, prefix="", by="30h")
    return ref


def test_prune_is_judged_by_what_is_there_when_the_hosts_are_locked(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    cli.add_host("main", "third", vms[2].addresses[0], vms[2].instance_uuid)
    replaced, first, last = (old(simulator, session, vm) for vm in vms)
    with pruning(cli, simulator) as future:
        finish(session, remove_snapshot(session, replaced))
        young = take(session, vms[0], AUTOMATIC)
        second = old(simulator, session, vms[1])
    done = future.result()
    assert done.status == 0, done.err
    rows = json.loads(done.out)
    assert ids(rows, "removed") == {first, second, last}
    assert ids(rows, "kept") == {young} == present(session)
    assert cli.store.runs.locked() == {}


def test_prune_judges_ages_by_the_clock_of_the_moment_the_hosts_are_locked(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    kept = old(simulator, session, vms[0])
    with pruning(cli, simulator) as future:
        simulator.order("clock", by="-20h")
    done = future.result()
    assert done.status == 0, done.err
    assert ids(json.loads(done.out), "kept") == {kept} == present(session)
    (run,) = cli.json("history", "list", "--kind", "snapshot")
    assert run["status"] == "success", "it had something to do when it looked"


def test_a_vcenter_that_is_gone_by_then_fails_what_was_planned(
    cli: Snapshotting, simulator: Simulator, session: Session, vms: list[VirtualMachine]
) -> None:
    left = old(simulator, session, vms[0])
    with pruning(cli, simulator) as future:
        simulator.order("soapfault", method="RetrievePropertiesEx", fault="NoPermission")
    done = future.result()
    assert done.status == 3, done.err
    (row,) = json.loads(done.out)
    assert (row["id"], row["status"]) == (left, "failed")
    assert "lacks a permission" in row["error"]
    assert present(session) == {left}
    assert cli.store.runs.locked() == {}


def refused(done: Done, why: str) -> None:
    said = " ".join(done.out.split())
    assert done.status == 12, said
    assert why in said
    assert "nothing was done" in said
