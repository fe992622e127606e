"""Thirty real hosts at the same time: their snapshots, then the playbook on all of them."""

import base64
import json
import re
import sys
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pytest
from pyVmomi import vim

from tests.e2e.runs.running import Running, ready, statuses
from tests.integration.lab.machines import find
from tests.lab_fixture import Lab, lab_of_module

THIRTY, TEN = ready(1, 30), "web0*:web10"
SLEEP = 5.0
"""Seconds that each host sleeps."""

LOOK = """\
import json, ssl, sys
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

server, user, password_file, ca_file = sys.argv[1:]
host, port = server.split(":")
service = SmartConnect(
    host=host,
    port=int(port),
    user=user,
    pwd=open(password_file).read().strip(),
    sslContext=ssl.create_default_context(cafile=ca_file),
)
content = service.RetrieveContent()
view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
print(json.dumps({
    vm.name: [tree.name for tree in vm.snapshot.rootSnapshotList]
    for vm in view.view
    if vm.snapshot
}))
Disconnect(service)
"""
"""Plain pyvmomi: the snapshots there are."""

SLEEPING = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Ask vCenter
      ansible.builtin.command: {{argv: {argv}}}
      delegate_to: localhost
      run_once: true
      register: seen
    - name: Sleep
      ansible.builtin.raw: date +%s.%N; sleep {seconds}; date +%s.%N
      register: its
    - name: Tell
      ansible.builtin.debug:
        msg: "from {{{{ its.stdout_lines | join(' to ') }}}} it slept"
    - name: Tell what was seen
      ansible.builtin.debug: {{msg: "{{{{ seen.stdout | b64encode }}}}"}}
      run_once: true
"""


lab = lab_of_module("--vms", "30")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Running:
    cli = Running(tmp_path_factory.mktemp("at-once"), lab)
    cli.group("thirty", THIRTY)
    return cli


def seconds(step: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(step[key]) for key in ("started_at", "finished_at"))
    return (ended - begun).total_seconds()


def most_at_once(spans: list[tuple[float, float]]) -> int:
    """How many of these spans of time overlap at the moment when most of them do."""
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


def test_snapshots_of_thirty_hosts_then_the_playbook_on_all(cli: Running, lab: Lab) -> None:
    script = cli.folder / "look.py"
    script.write_text(LOOK)
    argv = [sys.executable, str(script), lab.server, lab.username]
    argv += [str(lab.password_file), str(lab.ca_file)]
    cli.playbook("sleeping", SLEEPING.format(argv=json.dumps(argv), seconds=SLEEP))
    lab.sim("taskdelay", method="CreateSnapshot_Task", ms=2000)
    try:
        run = cli.json("run", "group", "thirty", "sleeping", "--snapshot")
    finally:
        lab.sim("clear")

    assert statuses(run) == dict.fromkeys(THIRTY, "success")
    snapshot, playbook = run["steps"]
    assert seconds(snapshot) < 30 * 2, "they were taken one after the other"
    assert seconds(playbook) < 30 * SLEEP / 2, "they slept one after the other"
    said = cli.run("history", "output", str(run["id"])).out
    slept = [(float(a), float(b)) for a, b in re.findall(r"from ([\d.]+) to ([\d.]+)", said)]
    assert len(slept) == 30
    assert most_at_once(slept) > 10
    (line,) = [
        each
        for each in cli.json("history", "output", str(run["id"]))
        if each["task"] == "Tell what was seen"
    ]
    encoded = re.search(r'"msg": "(\S+)"', line["text"])
    assert encoded is not None
    seen = json.loads(base64.b64decode(encoded[1]))
    assert seen == {host: [run["hosts"][0]["snapshot"]["name"]] for host in THIRTY}


def test_one_that_cannot_be_quiesced_holds_up_none_unless_it_is_required(
    cli: Running, lab: Lab
) -> None:
    words = ("run", "group", "thirty", "work", "--limit", TEN)
    fault: dict[str, Any] = {"method": "CreateSnapshot_Task", "fault": "ApplicationQuiesceFault"}
    lab.sim("taskfault", **fault)
    try:
        run = cli.json(*words, "--snapshot")
        lab.sim("taskfault", **fault)
        refused = cli.json(*words, "--require-snapshot", status=1)
    finally:
        lab.sim("clear")

    taken = {each["host"]: each["snapshot"] for each in run["hosts"]}
    (bad,) = [host for host, snapshot in taken.items() if snapshot["status"] == "failed"]
    assert (taken[bad]["id"], "quiesc" in taken[bad]["error"].lower()) == (None, True)
    assert statuses(run) == dict.fromkeys(ready(1, 10), "success")

    assert (refused["status"], refused["error"]["code"]) == ("failed", "snapshot_failed")
    assert [(step["name"], step["status"]) for step in refused["steps"]] == [("snapshot", "failed")]
    assert set(statuses(refused).values()) == {"skipped"}
    assert cli.json("history", "output", str(refused["id"])) == []


def test_a_name_with_what_vsphere_escapes_is_cut_to_what_it_takes(cli: Running, lab: Lab) -> None:
    name = f"50%/back\\slash {'x' * 60}"
    cli.playbook(name, "- hosts: all\n  gather_facts: false\n  tasks: [raw: uname]\n")

    run = cli.json("run", "host", "web30", name, "--snapshot")

    told = run["hosts"][0]["snapshot"]["name"]
    assert told.startswith("Before executing 50%/back\\slash xxx")
    with lab.connect() as service:
        vm = find(service, vim.VirtualMachine, "web30")
        node = vm.snapshot.rootSnapshotList[0]
        while node.childSnapshotList:
            node = node.childSnapshotList[0]
        stored, description = node.name, node.description
    assert stored.startswith("Before executing 50%25%2fback%5cslash xxx")
    assert unquote(stored) == told
    assert len(stored) <= 80
    assert re.search(r" - \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", stored)
    assert description.startswith(f"diaken run {run['id']} by ")
    (row,) = [
        each for each in cli.json("snapshots", "list", "--host", "web30") if each["name"] == told
    ]
    assert row["automatic"]
