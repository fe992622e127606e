"""`snapshots revert` on real hosts: what a playbook changed is as it was before."""

import json

import pytest

from tests.e2e.cli import Cli
from tests.e2e.deploy.deploying import Deploying
from tests.lab_fixture import Lab, lab_of_module
from tests.waiting import until

CHANGE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Write the file
      ansible.builtin.raw: echo {{ content }} > /root/file
"""


lab = lab_of_module("--vms", "2")


@pytest.fixture
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Deploying(tmp_path_factory.mktemp("revert"), lab)
    lab.sim("clear")
    (cli.folder / "playbooks" / "change.yml").write_text(CHANGE)
    for number in (1, 2):
        cli.json(
            *("hosts", "add", f"web0{number}", "--ip", f"10.77.0.10{number}"),
            *("--environment", "DEMO", "--group", "web", "--vcenter", "lab"),
            *("--user", "root", "--key", str(lab.ssh_private_key)),
        )
    return cli


def test_what_a_playbook_changed_is_as_it_was(cli: Cli, lab: Lab) -> None:
    cli.json("run", "host", "web01", "change", "-e", "content=old")
    known = cli.store.beside("known_hosts")
    assert known.read_text().strip()  # its key, and no other
    run = cli.json("run", "host", "web01", "change", "-e", "content=new", "--snapshot")
    (host,) = run["hosts"]
    assert lab.ssh("10.77.0.101", "cat /root/file").stdout == "new\n"

    reverted = cli.json("snapshots", "revert", host["snapshot"]["id"], "--host", "web01", "--yes")
    assert (reverted["status"], reverted["kind"]) == ("success", "snapshot")
    assert not known.read_text().strip()
    until(lambda: lab.ssh("10.77.0.101", "cat /root/file").stdout == "old\n", "it is back")
    assert cli.json("run", "host", "web01", "change", "-e", "content=next")["status"] == "success"


@pytest.mark.parametrize(
    ("action", "method"),
    [("create", "CreateSnapshot_Task"), ("revert", "RevertToSnapshot_Task")],
)
def test_progress_is_of_the_step_that_was_begun(
    cli: Cli, lab: Lab, action: str, method: str
) -> None:
    """Else a terminal shows a second step, which never ends."""
    if action != "create":
        cli.json("snapshots", "create", action, "--group", "web")
    yes = () if action == "create" else ("--yes",)
    lab.sim("taskdelay", method=method, ms=1500)
    done = cli.run("snapshots", action, action, "--group", "web", *yes, "--output", "jsonl")
    assert done.status == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    progress = {event["step"] for event in events if event["type"] == "step_progressed"}
    begun = {event["step"] for event in events if event["type"] == "step_started"}
    assert progress == begun == {action}


def test_another_machine_is_not_taken_back_and_what_was_off_stays_off(cli: Cli, lab: Lab) -> None:
    cli.json("snapshots", "create", "before", "--group", "web")
    lab.sim("guest", vm="web02", ip="10.77.0.250")
    lab.sim("calls")
    error = cli.error(12, "snapshots", "revert", "before", "--group", "web", "--yes")
    assert error["code"] == "address_mismatch"
    assert "the VM of web02 reports 10.77.0.250, not 10.77.0.102" in error["message"]
    assert "RevertToSnapshot_Task" not in lab.sim("calls")["calls"]

    with lab.connect() as service:
        view = service.content.searchIndex
        uuid = cli.json("hosts", "show", "web02")["vm_uuid"]
        vm = view.FindByUuid(uuid=uuid, vmSearch=True, instanceUuid=True)
        vm.PowerOffVM_Task()
        until(lambda: vm.runtime.powerState == "poweredOff", "it is off")
        assert cli.json("snapshots", "revert", "before", "--host", "web02", "--yes")
        assert vm.runtime.powerState == "poweredOff"
