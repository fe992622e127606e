"""A run of snapshots that fails on every host says why in its error, wherever it is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.vsphere.session import Session
from tests.e2e.snapshots.snapshotting import AUTOMATIC, Snapshotting, machines, take
from tests.integration.vsphere.simulator import Simulator

GROUP = ("--group", "web", "--environment", "PROD")
LOCKED = "main-web01, main-web02, main-web03: a file of the VM is locked"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Simulator]:
    folder = tmp_path / "other"
    folder.mkdir()
    with Simulator(folder, vms=2) as other:
        yield other


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator, session: Session, other: Simulator) -> Snapshotting:
    cli = Snapshotting(tmp_path, {"main": simulator, "other": other})
    cli.add_hosts("main", session)
    return cli


def add_others(cli: Snapshotting, other: Simulator) -> None:
    with other.connect() as session:
        cli.add_hosts("other", session, "10.78.0")


def recorded_error(cli: Snapshotting) -> Any:
    (run,) = cli.json("history", "list")
    assert run["status"] == "failed"
    return cli.json("history", "show", str(run["id"]))["error"]


def test_a_prune_that_fails_on_every_host(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    for vm in machines(session):
        take(session, vm, AUTOMATIC)
        simulator.order("backdate", vm=vm.ref, prefix=AUTOMATIC, by="48h")
    simulator.order("taskfault", method="RemoveSnapshot_Task", fault="FileLocked", count=3)

    rows = cli.json("snapshots", "prune", status=3)

    assert {row["error"] for row in rows} == {"a file of the VM is locked"}
    assert recorded_error(cli)["message"] == f"prune failed on every host: {LOCKED}"


def test_hosts_that_fail_for_one_reason_are_told_together(
    cli: Snapshotting, simulator: Simulator, other: Simulator
) -> None:
    add_others(cli, other)
    simulator.order("taskfault", method="CreateSnapshot_Task", fault="FileLocked", count=3)
    other.order("soapfault", method="Login", fault="InvalidLogin", count=9)

    run = cli.json("snapshots", "create", "mine", *GROUP, status=1)

    headline, _, reasons = run["error"]["message"].partition(": ")
    user = "'administrator@vsphere.local'"
    assert headline == "create failed on every host"
    assert sorted(reasons.split("; ")) == [
        LOCKED,
        f"vCenter other: 127.0.0.1:{other.port} refused the user {user} or its password",
    ]
    assert recorded_error(cli) == run["error"]


def test_each_vcenter_that_can_not_be_used_is_named_once(
    cli: Snapshotting, simulator: Simulator, other: Simulator
) -> None:
    add_others(cli, other)
    for each in (simulator, other):
        each.order("soapfault", method="Login", fault="InvalidLogin", count=9)

    for words in (("list",), ("remove", "mine", *GROUP, "--yes")):
        message = cli.error(13, "snapshots", *words)["message"]
        assert message.startswith("no vCenter could be used: vCenter main: 127.0.0.1:")
        assert message.count("vCenter main: ") == message.count("vCenter other: ") == 1
    assert cli.json("history", "list") == []
