"""A VM that was on is on again after `snapshots revert`; where it is not, that is said."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import VirtualMachine, power_on, power_state
from diaken_cli.signals import SAME_SECONDS
from tests.e2e.cli import PATIENCE
from tests.e2e.snapshots.snapshotting import Snapshotting, machines, take
from tests.integration.vsphere.simulator import Simulator
from tests.waiting import until

if TYPE_CHECKING:
    import subprocess

HOST = "main-web01"
OFF = "its VM is off now, and was on before: power it on in vCenter"


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(tmp_path, vms=2) as simulator:
        yield simulator


@pytest.fixture
def vm(session: Session) -> VirtualMachine:
    found = machines(session)[0]
    take(session, found, "before")
    return found


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator, session: Session, vm: VirtualMachine) -> Snapshotting:
    cli = Snapshotting(tmp_path, {"main": simulator})
    cli.add_hosts("main", session)
    return cli


IN_GROUP = ("--group", "web", "--environment", "PROD")
REVERT = ("snapshots", "revert", "before", "--host", HOST, "--yes")


def result(run: Any) -> Any:
    (host,) = run["hosts"]
    return host


def insist(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal twice; sooner, it would be the same one passed on by somebody."""
    process.send_signal(number)
    time.sleep(SAME_SECONDS + 0.2)
    process.send_signal(number)


def test_known_hosts_that_cannot_be_written_keep_no_vm_off(
    cli: Snapshotting, session: Session, vm: VirtualMachine
) -> None:
    known = cli.store.beside("known_hosts")
    os.mkfifo(known)
    done = cli.run(*REVERT, "--json")
    assert power_state(session, vm.ref) == "on", done.err
    assert done.status == 0, done.err
    run = json.loads(done.out)
    assert (run["status"], result(run)["status"]) == ("success", "success")
    assert f"{HOST}: its SSH key could not be forgotten: the known hosts in {known}" in done.err


def test_a_stop_between_the_revert_and_the_power_on_powers_it_on_all_the_same(
    cli: Snapshotting, simulator: Simulator, session: Session, vm: VirtualMachine
) -> None:
    simulator.order("taskdelay", method="RevertToSnapshot_Task", ms=2500)
    simulator.calls()
    with cli.going_on(*REVERT, "--json") as process:
        until(lambda: "RevertToSnapshot_Task" in simulator.calls(), "it reverts")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert power_state(session, vm.ref) == "on", err
    assert f"warning: stopping after powering them on again: {HOST}; stop again to leave" in err
    run = json.loads(out)
    assert (process.returncode, run["status"], run["error"]["code"]) == (
        130,
        "canceled",
        "canceled",
    )
    assert result(run)["status"] == "success", "it was reverted, and is on"


def test_after_a_second_signal_it_is_said_which_vm_stays_off(
    cli: Snapshotting, simulator: Simulator, session: Session, vm: VirtualMachine
) -> None:
    simulator.order("taskdelay", method="RevertToSnapshot_Task", ms=5000)
    simulator.calls()
    with cli.going_on(*REVERT, "--json") as process:
        until(lambda: "RevertToSnapshot_Task" in simulator.calls(), "it reverts")
        insist(process, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    message = result(json.loads(out))["message"]
    assert message.startswith("stopped; vCenter may still finish it (task task-"), message
    assert "its VM stays off, and was on before: power it on in vCenter" in message
    until(lambda: power_state(session, vm.ref) == "off", "vCenter goes on with it")


def test_one_that_is_killed_says_which_vm_may_be_off(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    """The revert of one never ends; the other one is on again when the process dies."""
    vms = machines(session)
    take(session, vms[1], "before")
    simulator.order("endless", method="RevertToSnapshot_Task", count=1)
    words = ("snapshots", "revert", "before", "--group", "web", "--yes")
    with cli.going_on(*words) as process:
        until(lambda: maybe_off(cli) == [HOST], "the other one is on again")
        process.kill()
        process.communicate(timeout=PATIENCE)
    (run,) = cli.json("history", "list")
    assert run["status"] == "interrupted"
    assert run["error"]["message"].endswith(f"; VMs that were on before may be off: {HOST}")
    assert run["error"]["hint"] == "Power on in vCenter what is off."


def maybe_off(cli: Snapshotting) -> Any:
    found = cli.store.history.find(1)
    return found and found.steps and found.steps[0].facts.get("maybe_off")


def test_a_note_that_cannot_be_written_keeps_no_vm_off(
    cli: Snapshotting, session: Session, vm: VirtualMachine
) -> None:
    """That which VMs may be off: it is said once, and the results stand."""
    vms = machines(session)
    take(session, vms[1], "before")
    cli.let_fail("UPDATE ON run_step", "OLD.facts LIKE '%maybe_off%' AND NEW.facts <> OLD.facts")
    done = cli.run("snapshots", "revert", "before", "--group", "web", "--yes", "--json")
    assert [power_state(session, each.ref) for each in vms] == ["on", "on"], done.err
    assert done.status == 0, done.err
    run = json.loads(done.out)
    assert [host["status"] for host in run["hosts"]] == ["success", "success"]
    assert done.err.count("warning: which VMs may be off could not be recorded: ") == 1


def test_a_third_signal_says_which_vm_may_be_off(
    cli: Snapshotting, simulator: Simulator, session: Session, vm: VirtualMachine
) -> None:
    """It comes while vCenter does not answer."""
    simulator.order("delay", method="PowerOnVM_Task", ms=60_000)
    simulator.calls()
    with cli.going_on(*REVERT, "--json") as process:
        until(lambda: "PowerOnVM_Task" in simulator.calls(), "it is to be powered on")
        insist(process, signal.SIGINT)
        time.sleep(SAME_SECONDS + 0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    run = json.loads(out)
    left = f"stopped by SIGINT; VMs that were on before may be off: {HOST}"
    assert (run["status"], run["error"]["message"]) == ("interrupted", left)
    assert left.partition("; ")[2] in err


def test_a_database_that_fails_says_which_vm_may_be_off(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    """The power-on of one fails, and no snapshot's result can be written; the other one is on."""
    vms = machines(session)
    take(session, vms[1], "before")
    simulator.order("soapfault", method="PowerOnVM_Task", fault="ToolsUnavailable", count=1)
    cli.let_fail("INSERT ON run_snapshot", "1")
    error = cli.error(10, "snapshots", "revert", "before", "--group", "web", "--yes")
    states = {f"main-{each.name}": power_state(session, each.ref) for each in vms}
    (off,) = [name for name, state in states.items() if state == "off"]
    assert error["message"].endswith(f"; VMs that were on before may be off: {off}")
    assert error["hint"] == "Power on in vCenter what is off."


def test_one_that_is_seen_on_after_a_failure_is_not_named(
    cli: Snapshotting, simulator: Simulator, session: Session, vm: VirtualMachine
) -> None:
    simulator.order("taskfault", method="RevertToSnapshot_Task", fault="FileLocked")
    assert cli.run(*REVERT).status == 1
    assert power_state(session, vm.ref) == "on"
    assert maybe_off(cli) == []


def test_a_power_on_that_fails_is_said_with_what_is_off(
    cli: Snapshotting, simulator: Simulator, session: Session, vm: VirtualMachine
) -> None:
    for order, fault in (("taskfault", "ToolsUnavailable"), ("soapfault", "ToolsUnavailable")):
        simulator.order(order, method="PowerOnVM_Task", fault=fault, count=1)
        done = cli.run(*REVERT, "--json")
        assert done.status == 1, done.out
        run = json.loads(done.out)
        for message in (result(run)["message"], result(run)["snapshot"]["error"], done.err):
            assert "reverted, but not powered on: " in message
            assert OFF in message
        assert power_state(session, vm.ref) == "off"
        power_on(session, vm.ref)
        until(lambda: power_state(session, vm.ref) == "on", "it is on again")


@pytest.mark.parametrize("fault", ["TaskInProgress", "InvalidPowerState"])
def test_a_power_on_that_is_refused_while_something_works_on_the_vm_is_given_again(
    cli: Snapshotting, simulator: Simulator, session: Session, vm: VirtualMachine, fault: str
) -> None:
    simulator.order("taskfault", method="PowerOnVM_Task", fault=fault)
    assert cli.json(*REVERT)["status"] == "success"
    assert power_state(session, vm.ref) == "on"


def test_a_host_of_a_group_without_a_vcenter_is_skipped(cli: Snapshotting) -> None:
    cli.json("hosts", "add", "bare", *("--ip", "10.0.9.9"), *IN_GROUP)
    for action in ("revert", "remove"):
        run = cli.json("snapshots", action, "before", *IN_GROUP, "--yes", status=3)
        status = {host["host"]: host["status"] for host in run["hosts"]}
        assert (status["bare"], status[HOST]) == ("skipped", "success"), action


def test_a_vm_is_powered_on_without_waiting_for_the_reverts_of_the_others(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    vms = machines(session)
    take(session, vms[1], "before")
    simulator.order("endless", method="RevertToSnapshot_Task", count=1)
    simulator.calls()
    words = ("snapshots", "revert", "before", "--group", "web", "--yes", "--json")
    calls: Counter[str] = Counter()

    def powered_on() -> bool:
        calls.update(simulator.calls())
        return calls["PowerOnVM_Task"] == 1

    with cli.going_on(*words) as process:
        until(powered_on, "the other one is powered on")
        until(lambda: power_state(session, vms[1].ref) == "on", "it is on")
        insist(process, signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    endless, other = json.loads(out)["hosts"]
    assert endless["message"].startswith("stopped; vCenter may still finish it (task task-")
    assert (other["status"], other["message"]) == ("success", None)
