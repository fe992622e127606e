"""With --quiet a run that did not succeed is told in a line; only reasons of tasks are cut."""

import pytest

from diaken_cli.actions.run.summary import LONGEST_REASON, failure_reasons
from diaken_cli.errors import AnsibleNotStarted, DatabaseError, DiakenError, OperationFailed
from diaken_cli.store import Store
from diaken_cli.types import HostStatus, RunKind, RunStatus, StepStatus
from tests.seeding import begin, result
from tests.unit.render.rendered_runs import ended

LONG = f"it is {'very ' * 60}long"
SENTENCES = "The first sentence is about as long as it takes to be cut. The second one. " * 3


def test_no_host_and_no_missing_snapshot_is_left_out(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begin(store, request={"snapshot": True})
    for host in ("web01", "web02", "web03", "web04"):
        run.snapshot(host, "snap-1", name="Before executing update")
    run.snapshot("web05", None, "VM not found", name="Before executing update")
    run.hosts(
        result("web01", HostStatus.FAILED, "Restart nginx", LONG),
        result("web02", HostStatus.FAILED, "Copy", SENTENCES),
        result("web03", HostStatus.UNREACHABLE, "Gathering Facts", "Connection refused"),
        result("web04", HostStatus.SKIPPED),
        result("web05", HostStatus.SUCCESS),
    )
    run.end(RunStatus.PARTIAL)
    ended(store, run.id, quiet=True)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("warning: update on web: partial: 1 of 5 ok; failed: web01 (Restart ")
    assert "very long); web02 (Copy: The first " in err
    unreachable = "unreachable: web03 (Gathering Facts: Connection refused); skipped: web04; "
    without = "1 of 5 without snapshot (web05: VM not found)"
    assert err.endswith(f"{unreachable}{without}; see: diaken history show {run.id}\n")
    assert LONG not in err


OFF = "VMs that were on before may be off: web2"
ANSIBLE = (
    "ERROR! couldn't resolve module/action 'x'. This often indicates a misspelling, missing"
    " collection, or incorrect module path.\nThe error appears to be in '/srv/playbooks/"
    f"{'a_folder/' * 20}update.yml': line 12, column 7"
)


@pytest.mark.parametrize(
    "error",
    [
        DatabaseError(f"the database can't be written: {SENTENCES}"),
        OperationFailed(f"revert failed on web01: {LONG}", code="snapshot_failed"),
        AnsibleNotStarted(f"Ansible did not start update: {ANSIBLE}", headline=ANSIBLE),
    ],
)
def test_the_message_of_an_error_is_whole(
    store: Store, capsys: pytest.CaptureFixture[str], error: DiakenError
) -> None:
    run = begin(store, RunKind.SNAPSHOT, playbook=None, request={"action": "revert"})
    error.add_leftover(OFF, "Power them on in vCenter.")
    run.hosts(result("web01", HostStatus.FAILED, None, LONG))
    run.end(RunStatus.FAILED, error.as_json())
    ended(store, run.id, error, quiet=True)
    said = f"error: {error.message}\nPower them on in vCenter.\n"
    assert capsys.readouterr() == ("", said)
    assert error.message.endswith(OFF)


def test_in_an_error_the_reasons_of_tasks_are_cut_and_nothing_else(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begin(store)
    run.step(0, "playbook", StepStatus.FAILED, detail="update failed on every host")
    results = [
        result("web01", HostStatus.FAILED, "Restart nginx", LONG),
        result("web02", HostStatus.FAILED, "Copy", "the disk is full\n20 GB are needed"),
        result("web03", HostStatus.UNREACHABLE, "Gathering Facts", SENTENCES.strip()),
    ]
    run.hosts(*results)
    elsewhere = "Look it up failed on localhost: no such host"
    error = OperationFailed(
        f"update failed on every host: {failure_reasons(results)}; {elsewhere}",
        code="hosts_failed",
    )
    run.end(RunStatus.FAILED, error.as_json())
    ended(store, run.id, error, quiet=True)
    (said,) = capsys.readouterr().err.splitlines()
    head, _, tail = said.partition("; web02: ")
    where = "error: update failed on every host: web01: Restart nginx: "
    assert head.startswith(f"{where}it is very")
    assert head.endswith("very long")
    assert len(head) <= len(where) + LONGEST_REASON
    copied = "Copy: the disk is full; 20 GB are needed"
    assert tail == f"{copied}; web03: Gathering Facts: {SENTENCES.strip()}; {elsewhere}"
