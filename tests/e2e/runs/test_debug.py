"""`--debug` shows where a defect is, also of a run that is recorded; the record says the same."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import DIAKEN, PATIENCE
from tests.e2e.schedules.scheduling import until_due
from tests.e2e.snapshots.snapshotting import Snapshotting
from tests.integration.vsphere.simulator import Simulator

DEFECTS = """
from diaken_cli.__main__ import main
from diaken_cli.actions import playbook
from diaken_cli.services.vsphere import snapshots, tasks, templates

def defect(*_arguments, **_options):
    raise TypeError("a defect")

def another_defect(*_arguments, **_options):
    raise TypeError("another defect")

playbook.run_playbook = snapshots.create_snapshot = templates.start_clone = defect
tasks.recent_tasks = another_defect
main()
"""
DEPLOY = (
    *("deploy", "vm", "new01", "--ip", "10.77.0.21/24", "--gateway", "10.77.0.254"),
    *("--environment", "PROD", "--vcenter", "main", "--template", "debian12"),
    *("--no-provision", "--no-address-probe"),
)
CALLS = {
    "run": ("run", "host", "main-web01", "update"),
    "snapshots": ("snapshots", "create", "mine", "--host", "main-web01"),
    "deploy": DEPLOY,
}


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Snapshotting]:
    with Simulator(tmp_path, vms=1) as simulator, simulator.connect() as session:
        cli = Snapshotting(tmp_path, {"main": simulator})
        cli.add_hosts("main", session)
        cli.started_by = (DIAKEN[0], "-c", DEFECTS)
        yield cli


def called(cli: Snapshotting, *words: str) -> tuple[Any, str]:
    """The JSON and the standard error of a call that fails."""
    process = cli.start(*words, "--json")
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in (1, 3), said
    return json.loads(out), said


@pytest.mark.parametrize("what", CALLS)
def test_a_recorded_run_that_a_defect_ends_shows_it_with_debug(
    cli: Snapshotting, what: str
) -> None:
    run, said = called(cli, *CALLS[what], "--debug")

    assert said.count("\nTypeError: a defect\n") == 1
    assert run["error"]["code"] == "unexpected"
    assert run["error"]["message"].endswith("unexpected TypeError: a defect")
    assert cli.json("history", "show", str(run["id"]))["error"] == run["error"]
    undone = "\nTypeError: another defect\n" in said
    assert undone == (what == "deploy"), "what keeps it from being undone is shown, too"
    if not undone:
        _, said = called(cli, *CALLS[what])
        assert "Traceback" not in said


def test_a_tick_shows_where_a_defect_of_a_task_is(cli: Snapshotting) -> None:
    task = ("Nightly", "--host", "main-web01", "--playbook", "update", "--at", "+1s")
    cli.json("schedule", "add", *task)
    until_due(cli)

    (run,), said = called(cli, "scheduler", "tick", "--debug")

    assert said.count("\nTypeError: a defect\n") == 1
    assert run["error"]["message"] == "unexpected TypeError: a defect"
