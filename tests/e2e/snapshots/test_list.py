"""`snapshots list`, `create` and `revert`: what is said, warned of and refused."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from diaken_cli.services.vsphere.session import Session
from diaken_cli.store.records import HostValues
from tests.e2e.snapshots.snapshotting import (
    AUTOMATIC,
    Snapshotting,
    log_lines,
    machines,
    present,
    take,
)
from tests.integration.vsphere.simulator import Simulator
from tests.seeding import MORNING

FIELDS = [
    *("host", "vcenter", "vm", "name", "id", "created_at", "age_hours", "depth", "automatic"),
    *("action", "reason", "status", "error", "size_bytes", "recorded"),
]


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator, session: Session) -> Snapshotting:
    cli = Snapshotting(tmp_path, {"main": simulator})
    cli.add_hosts("main", session)
    return cli


def test_a_list_says_what_prune_would_do_and_warns_of_what_is_old_or_deep(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    first, second, third = machines(session)
    names = ["one/two", AUTOMATIC, "three", "four"]
    chain = [take(session, first, name) for name in names]
    simulator.order("backdate", vm=first.ref, prefix="", by="80h")
    mine = take(session, second, "mine")
    shared = take(session, third, AUTOMATIC)
    simulator.order("backdate", vm=third.ref, prefix="", by="30h")
    simulator.order("guest", vm=third.ref, ip="10.77.0.250")  # the VM of the twin, by its address
    cli.add_host("main", "main-twin", "10.77.0.250", None, active=False)

    rows = {row["id"]: row for row in cli.json("snapshots", "list")}
    assert [list(row) for row in rows.values()] == [FIELDS] * 6
    assert [rows[each]["name"] for each in chain] == names
    assert [rows[each]["depth"] for each in chain] == [1, 2, 3, 4]
    assert [rows[each]["action"] for each in chain] == ["keep", "remove", "keep", "keep"]
    assert {rows[each]["age_hours"] for each in chain} <= {80.0, 80.1}
    assert all(isinstance(row["size_bytes"], int) for row in rows.values())
    assert (rows[mine]["automatic"], rows[mine]["reason"]) == (False, "not automatic")
    twins = "the VM belongs to several hosts: main-twin, main-web03"
    foreign = "; no run of this database took it"
    assert (rows[shared]["action"], rows[shared]["reason"]) == ("keep", twins + foreign)
    assert not any(row["recorded"] for row in rows.values())

    done = cli.run("snapshots", "list", "--host", "main-web01", "--host", "main-web03")
    assert done.status == 0
    heads = ("HOST", "VM", "SNAPSHOT", "AGE", "DEPTH", "SIZE", "AUTOMATIC", "PRUNE")
    assert all(head in done.out.splitlines()[0] for head in heads)
    assert "remove: 80 h old, retention 24 h; no run of this database took it" in done.out
    assert f"keep: {twins}" in done.out
    assert "mine" not in done.out
    warnings = done.err.splitlines()
    assert len(warnings) == 5, "and no total, where no person reads it"
    assert "warning: main-web01: 'one/two' is 80 h old" in warnings
    assert "warning: main-web01: its snapshot chain is deeper than 3" in warnings

    seen = cli.at_a_terminal("snapshots", "list", "--host", "main-web01", "--host", "main-web03")
    total = (
        "5 snapshots of 2 hosts; prune would remove 1, 4 kept (3 not automatic,"
        " 1 of a locked host or a shared VM)"
    )
    assert total in " ".join(seen.out.split())
    narrow = cli.at_a_terminal("snapshots", "list", "--no-color", columns=80).out.splitlines()
    assert "a wider terminal also shows: VCENTER, VM, DEPTH, SIZE, AUTOMATIC" in narrow
    assert narrow[0].split() == ["HOST", "SNAPSHOT", "ID", "AGE", "PRUNE"]
    assert max(len(line) for line in narrow) <= 80
    assert all(any(ref in line.split() for line in narrow) for ref in rows)

    # The VM has two hosts: neither may change it, as one's lock is not the other's.
    for act in ("revert", "remove"):
        error = cli.error(12, "snapshots", act, shared, "--host", "main-web03", "--yes")
        assert error["code"] == "shared_vm"


def test_create_on_a_group_and_a_revert_that_says_what_is_lost(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    log = cli.folder / "snapshots.log"
    said = ("before", "--group", "web", "--environment", "PROD", "--log-file", str(log))
    run = cli.json("snapshots", "create", *said)
    assert (run["status"], run["totals"]["success"]) == ("success", 3)
    assert [line.split()[1:3] for line in log_lines(log)] == [["create", "done"]] * 3
    for vm in machines(session)[:2]:
        simulator.order("backdate", vm=vm.ref, prefix="before", by="30h")
        take(session, vm, "newer")
    done = cli.at_a_terminal(
        "snapshots", "revert", "before", "--group", "web", answers=[("[y/N]", "n")]
    )
    assert done.status == 130
    question = " ".join(done.out.split())
    assert re.search(r"to 'before', which is \d+ s to 30 h old\?", question)
    assert "All changes since then are lost" in question
    assert (
        "3 of the VMs are running: they will be powered off hard, reverted and started." in question
    )
    assert "Newer snapshots (2) stay." in question
    assert "RevertToSnapshot_Task" not in simulator.calls()
    for act in ("revert", "remove"):
        on = ("--host", "main-web01", "--yes")
        assert cli.mistakes(2, "snapshots", act, "", *on) == ["SNAPSHOT"]
    refused = cli.error(2, "snapshots", "create", AUTOMATIC, "--host", "main-web01")
    assert "prune would remove it" in refused["message"]


def test_create_says_why_a_host_has_no_snapshot(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    first, second, _ = machines(session)
    for vm in (first, second):
        simulator.order("guest", vm=vm.ref, ip="10.77.0.200")
    host = cli.add_host("main", "twice", "10.77.0.200")
    cli.add_host("main", "lost", "10.9.0.9")
    on = ("--host", "main-web01", "--host", "twice", "--host", "lost")
    run = cli.json("snapshots", "create", "mine", *on, status=3)
    why = {each["host"]: (each["message"], each["snapshot"]["error"]) for each in run["hosts"]}
    two = f"several VMs report the address {host.ip}: {first.name}, {second.name}"
    assert why["twice"] == (two, two)
    assert why["lost"] == ("VM not found: none reports the address 10.9.0.9",) * 2
    assert why["main-web01"] == (None, None)
    alone = cli.json("snapshots", "create", "mine", "--host", "twice", status=1)
    assert alone["error"]["message"] == f"create failed on twice: {two}"
    shown = cli.run("history", "show", str(run["id"])).out.splitlines()[0]
    said = f"; ! 2 of 3 without snapshot (lost: {why['lost'][0]}; twice: {two})"
    assert shown.endswith(said), shown
    assert [row["recorded"] for row in cli.json("snapshots", "list", status=3)][:1] == [True]


def test_create_where_no_vcenter_is_known_is_a_mistake_and_no_run(cli: Snapshotting) -> None:
    store = cli.store.inventory
    metal = store.add_group("metal", cli.environment_record, {})
    values = HostValues("10.9.0.1", cli.environment_record.id, group_ids=(metal.id,))
    bare = store.add_host("bare", values, MORNING)
    create = ("snapshots", "create", "mine")
    assert cli.mistakes(2, *create, "--host", "main-web01", "--host", "bare") == ["--host"]
    assert cli.mistakes(2, *create[:2], AUTOMATIC, "--host", "bare") == ["NAME", "--host"]
    error = cli.error(2, *create, "--group", "metal")
    assert error["message"] == "--group: no host of group metal has a vCenter"
    assert error["hint"] == "Set its vCenter: diaken hosts set HOST --vcenter V"
    assert cli.json("history", "list") == []
    store.set_host(bare, replace(values, group_ids=(cli.group_record.id,)))
    run = cli.json("snapshots", "create", "mine", "--group", "web", status=3)
    totals = run["totals"]
    assert (totals["success"], totals["failed"], totals["skipped"]) == (3, 0, 1)
    assert [step["status"] for step in run["steps"]] == ["success"]
    done = cli.run(*create, "--group", "web")
    assert done.status == 3
    assert "» bare: the host has no vCenter" in done.out.splitlines()
    assert "failed" not in done.out + done.err


def test_what_has_no_name_is_named_by_its_id(cli: Snapshotting, session: Session) -> None:
    nameless, other = (
        take(session, machines(session)[0], ""),
        take(session, machines(session)[1], ""),
    )
    on = ("--host", "main-web01", "--yes")
    assert cli.mistakes(2, "snapshots", "remove", "", *on) == ["SNAPSHOT"]
    assert present(session) == {nameless, other}
    assert cli.json("snapshots", "remove", nameless, *on)["status"] == "success"
    assert present(session) == {other}
