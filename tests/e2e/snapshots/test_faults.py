"""What goes wrong while prune works: it is reported, and the rest is done."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyVmomi import vim

from diaken_cli.services.vsphere.properties import read, read_one, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.types import RunStatus
from tests.e2e.cli import PATIENCE
from tests.e2e.snapshots.snapshotting import (
    AUTOMATIC,
    Snapshotting,
    clean,
    held,
    ids,
    log_lines,
    machines,
    present,
    take,
)
from tests.integration.vsphere.simulator import Simulator
from tests.seeding import begin
from tests.waiting import until

if TYPE_CHECKING:
    import subprocess

VMS = 6
PRUNE = ("snapshots", "prune", "--json")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=VMS) as simulator:
        yield simulator


@pytest.fixture
def session(simulator: Simulator) -> Iterator[Session]:
    simulator.order("clear")
    with simulator.connect() as session:
        yield session
        simulator.order("clear")
        for vm in machines(session):
            simulator.order("consolidation", vm=vm.ref, needed="no")
        clean(session)


@pytest.fixture
def old(session: Session, simulator: Simulator) -> dict[str, str]:
    """An old automatic snapshot of each VM, by the name of its host."""
    refs = {}
    for vm in machines(session):
        refs[f"main-{vm.name}"] = take(session, vm, AUTOMATIC)
        simulator.order("backdate", vm=vm.ref, prefix="", by="30h")
    return refs


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator, session: Session) -> Snapshotting:
    log = tmp_path / "snapshots.log"
    cli = Snapshotting(tmp_path, {"main": simulator}, f'[snapshots]\nlog_file = "{log}"\n')
    cli.add_hosts("main", session)
    return cli


def wait_for_removal(simulator: Simulator, process: "subprocess.Popen[str]") -> None:
    """Until a removal was begun."""

    def begun() -> bool:
        assert process.poll() is None
        return "RemoveSnapshot_Task" in simulator.calls()

    until(begun, "a removal is begun")


def failed(rows: list[dict[str, Any]]) -> dict[tuple[str | None, str], str]:
    return {(r["host"], r["vcenter"]): r["error"] for r in rows if r["status"] == "failed"}


def test_one_vcenter_down_one_removal_failing_the_session_ending(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        cli.add_vcenter("down", simulator, port=closed.getsockname()[1])
        cli.add_host("down", "lost", "10.9.0.1")
        simulator.order("taskdelay", method="RemoveSnapshot_Task", ms=500)
        simulator.order("taskfault", method="RemoveSnapshot_Task", fault="FileLocked")
        simulator.calls()
        with cli.going_on(*PRUNE) as process:
            wait_for_removal(simulator, process)
            assert simulator.order("expire")["expired"] >= 1
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    rows = json.loads(out)
    (lost, broken) = sorted(failed(rows).items(), key=lambda each: each[0][1])
    assert lost[0] == (None, "down")
    assert "Connection refused" in lost[1]
    assert broken[0][0] in old
    left = old[broken[0][0] or ""]
    assert ids(rows, "removed") == set(old.values()) - {left}
    assert present(session) == {left}
    assert err.count("\n") == 2  # a line for each, for cron's mail
    assert cli.run("snapshots", "prune").status == 3
    lines = log_lines(cli.folder / "snapshots.log")
    assert len([line for line in lines if " remove done host=" in line]) == VMS
    assert len([line for line in lines if f" remove failed host={broken[0][0]} " in line]) == 1
    run = cli.json("history", "list", "--kind", "snapshot")[-1]
    assert (run["status"], run["totals"]["failed"], run["totals"]["success"]) == ("partial", 1, 5)


def test_a_vcenter_that_refuses_the_login_holds_up_no_other(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    (cli.folder / "wrong").write_text("wrong\n")
    (cli.folder / "wrong").chmod(0o600)
    cli.json(
        *("vcenters", "add", "refused", "--server", f"127.0.0.1:{simulator.port}"),
        *("--username", "nobody", "--password-file", str(cli.folder / "wrong")),
        *("--ca-file", str(simulator.certificate), "--no-test"),
    )
    cli.add_host("refused", "other", "10.9.0.2")
    planned = cli.run("snapshots", "prune", "--dry-run")
    assert (planned.status, "warning: vCenter refused: " in planned.err) == (3, True)
    assert cli.store.notices.unresolved() == set(), "so that cron's mail of it still comes"
    rows = cli.json("snapshots", "prune", status=3)
    assert cli.store.notices.unresolved() == {"prune:refused"}
    assert list(failed(rows)) == [(None, "refused")]
    assert ids(rows, "removed") == set(old.values())
    assert present(session) == set()
    listed = cli.json("snapshots", "list", status=3)
    assert list(failed(listed)) == [(None, "refused")]


def test_no_vcenter_at_all_is_13_and_nothing_is_recorded(
    cli: Snapshotting, simulator: Simulator, old: dict[str, str]
) -> None:
    simulator.order("soapfault", method="Login", fault="InvalidLogin", count=1)
    assert cli.error(13, "snapshots", "prune")["code"] == "login"
    assert cli.json("history", "list") == []
    assert not ids(cli.json("snapshots", "prune", "--dry-run"), "failed")


def test_what_is_still_there_or_needs_consolidation_is_reported(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    needs = machines(session)[-1]
    simulator.order("consolidation", vm=needs.ref)
    simulator.order("pretend", method="RemoveSnapshot_Task")
    rows = cli.json("snapshots", "prune", status=3)
    said = failed(rows)
    unconsolidated = said.pop((f"main-{needs.name}", "main"))
    assert "need consolidation" in unconsolidated
    ((host, _), still) = said.popitem()
    assert not said
    assert still == "vCenter reported success, but it still exists"
    assert present(session) == {old[host or ""]}


def test_removals_are_bounded_on_a_vcenter_and_on_a_datastore(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    simulator.order("taskdelay", method="RemoveSnapshot_Task", ms=300)
    assert _most_at_once(cli, session, "2") == 1  # all on one datastore: half of it
    for vm in machines(session):
        take(session, vm, AUTOMATIC)
        simulator.order("backdate", vm=vm.ref, prefix="", by="30h")
    assert _most_at_once(cli, session, "6") == 3


def _most_at_once(cli: Snapshotting, session: Session, parallel: str) -> int:
    """How many removals ran at the same time, as vCenter's own list of tasks shows it."""
    done = cli.run("snapshots", "prune", env={"DIAKEN_SNAPSHOTS_PARALLEL_REMOVALS": parallel})
    assert done.status == 0, done.err
    tasks = read_one(session, session.content.taskManager, ["recentTask"])["recentTask"]
    rows = read(session, vim.Task, [reference(task) for task in tasks], ["info"])
    infos = [row["info"] for row in rows.values()]
    removals = [info for info in infos if info.descriptionId == "vm.Snapshot.remove"][-VMS:]
    spans = [(info.startTime, info.completeTime) for info in removals]
    return max(sum(1 for begun, over in spans if begun <= at < over) for at, _ in spans)


def test_a_host_that_another_run_holds_is_left_alone(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    host = next(host for host in cli.store.inventory.hosts() if host.name == "main-web03")
    with held(cli.store, host) as run:
        rows = cli.json("snapshots", "prune")
        (row,) = [row for row in rows if row["status"] == "kept"]
        assert (row["host"], row["id"]) == ("main-web03", old["main-web03"])
        assert row["reason"].startswith(f"host main-web03 is locked by run {run}")
        assert present(session) == {old["main-web03"]}
    assert ids(cli.json("snapshots", "prune"), "removed") == {old["main-web03"]}


def test_only_what_a_run_of_this_database_took_may_go(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    """Five hosts have a snapshot of a run of ours; main-web06 has one of somebody else's."""
    run = begin(cli.store, request={"snapshot": True})
    uuids = {f"main-{vm.name}": vm.instance_uuid for vm in machines(session)}
    for host in sorted(old)[:-1]:
        run.snapshot(host, old[host], name=AUTOMATIC, uuid=uuids[host].upper())
    run.end(RunStatus.SUCCESS)
    foreign = old["main-web06"]
    listed = cli.json("snapshots", "list")
    assert {row["id"]: row["recorded"] for row in listed} == {
        each: each != foreign for each in old.values()
    }
    (row,) = [row for row in listed if not row["recorded"]]
    assert row["action"] == "remove"
    assert row["reason"].endswith("; no run of this database took it")

    only = {"DIAKEN_SNAPSHOTS_PRUNE_ONLY_RECORDED": "true"}
    plan = cli.run("snapshots", "prune", "--dry-run", env=only)
    assert foreign not in plan.out
    assert plan.err == (
        "5 of 6 to remove, 1 kept (1 taken by no run of this database; see them with --verbose)\n"
    )
    whole = cli.run("snapshots", "prune", "--dry-run", "--verbose", env=only)
    assert foreign in whole.out
    assert "retention 24 h; no run of this database took it" in whole.out
    rows = cli.json("snapshots", "prune", env=only)
    assert ids(rows, "kept") == {foreign} == present(session)
    assert ids(cli.json("snapshots", "prune"), "removed") == {foreign}


def test_a_stopped_prune_says_what_goes_on_without_it(
    cli: Snapshotting, simulator: Simulator, session: Session, old: dict[str, str]
) -> None:
    simulator.order("taskdelay", method="RemoveSnapshot_Task", ms=3000)
    simulator.calls()
    with cli.going_on(*PRUNE) as process:
        wait_for_removal(simulator, process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "canceled"
    errors = [line.partition("error=")[2] for line in log_lines(cli.folder / "snapshots.log")]
    assert {*errors} == {'"stopped; vCenter may still finish it"', '"stopped before it began"'}
    assert len(errors) == VMS
    left = sum("before it began" in error for error in errors)
    until(lambda: len(present(session)) <= left, "vCenter goes on with it")
    run = cli.json("history", "list", "--kind", "snapshot")[0]
    assert run["status"] == "canceled"
    people = cli.run("history", "show", str(run["id"])).out
    assert f"{VMS} canceled" in people
    assert ("✗" in people.partition("SNAPSHOT OF")[0], "error:" in people) == (False, False)


ON_ONE = ("--host", "main-web01")
EVERY_ACTION = {
    "create": ("snapshots", "create", "mine", *ON_ONE),
    "revert": ("snapshots", "revert", AUTOMATIC, *ON_ONE, "--yes"),
    "remove": ("snapshots", "remove", AUTOMATIC, *ON_ONE, "--yes"),
    "prune": ("snapshots", "prune"),
    "run": ("run", "host", "main-web01", "update", "--require-snapshot"),
}


@pytest.mark.parametrize("action", EVERY_ACTION)
def test_a_log_that_cannot_be_written_is_refused_before_a_run_begins(
    cli: Snapshotting, session: Session, old: dict[str, str], action: str
) -> None:
    cli.configure(f'[snapshots]\nlog_file = "{cli.folder}/no/such.log"\n')
    assert cli.error(10, *EVERY_ACTION[action])["code"] == "permission"
    assert cli.json("history", "list") == []
    assert present(session) == set(old.values())
    assert cli.mistakes(2, "snapshots", "prune", "--log-file", "") == ["--log-file"]


@pytest.mark.parametrize("action", EVERY_ACTION)
def test_what_is_done_is_logged_also_where_it_can_not_be_recorded(
    cli: Snapshotting, old: dict[str, str], action: str
) -> None:
    cli.let_fail("INSERT ON run_snapshot", "true")
    assert cli.run(*EVERY_ACTION[action]).status not in (0, 3)
    logged = {"prune": "remove", "run": "create"}.get(action, action)
    lines = log_lines(cli.folder / "snapshots.log")
    assert lines
    assert all(f" {logged} done host=main-web0" in line for line in lines), lines


@pytest.mark.parametrize("action", ["create", "revert", "remove", "prune"])
def test_what_is_done_is_logged_also_where_nobody_reads_what_is_shown(
    cli: Snapshotting, old: dict[str, str], action: str
) -> None:
    """The first line of the stream is refused."""
    reader, writer = os.pipe()
    os.close(reader)
    with cli.going_on(*EVERY_ACTION[action], "--output", "jsonl", stdout=writer) as process:
        os.close(writer)
        process.communicate(timeout=PATIENCE)
    logged = "remove" if action == "prune" else action
    lines = log_lines(cli.folder / "snapshots.log")
    assert len(lines) == (len(old) if action == "prune" else 1)
    assert all(f" {logged} done host=main-web0" in line for line in lines), lines


def test_removals_that_are_lost_sight_of_hold_up_none_that_come_later(
    cli: Snapshotting, old: dict[str, str], simulator: Simulator, session: Session
) -> None:
    cli.configure("[snapshots]\nparallel_removals = 2\n")
    simulator.order("taskdelay", method="RemoveSnapshot_Task", ms=1500)
    simulator.order("soapfault", method="WaitForUpdatesEx", fault="NoPermission")
    done = cli.run(*PRUNE)
    assert done.status in (0, 3), done.err
    rows = [row for row in json.loads(done.out) if row["name"]]
    assert {row["id"] for row in rows} == set(old.values())
    for row in rows:
        assert (row["id"] in present(session)) == (row["status"] == "failed"), row
    assert len(ids(rows, "removed")) >= len(old) - 2
