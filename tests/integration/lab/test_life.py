"""A lab harms nobody: two live side by side, and nothing is left of one however it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab_fixture import LAB, Lab
from tests.waiting import PATIENCE, slowness, until

ROOT = Path("/run/diaken-lab")
NAME = f"life-{os.getpid()}"
HOLDER = """
import sys, time
from tests.lab_fixture import Lab
lab = Lab.start(sys.argv[1], "--vms", "1")
print(lab.pid, lab._process.pid, flush=True)
time.sleep(300)
"""


def ran(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LAB, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def namespaces(lab_pid: int) -> set[str]:
    """The network and mount namespaces of a lab and of its hosts."""
    pids = subprocess.run(
        ["nsenter", f"--target={lab_pid}", "--mount", "--pid", "ps", "-eo", "pid="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = set()
    for pid in pids:
        for kind in ("net", "mnt"):
            with contextlib.suppress(FileNotFoundError):  # ps itself is gone by now
                found.add(str(Path(f"/proc/{lab_pid}/root/proc/{pid}/ns/{kind}").readlink()))
    return found


def inhabited(wanted: set[str]) -> set[str]:
    """Those of the namespaces that a process of this machine is still in."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/*"):
        if path.name in ("net", "mnt"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                found.add(str(path.readlink()))
    return found & wanted


def left(name: str, wanted: set[str]) -> list[str]:
    """What is left of a lab: files, mounts that this process sees, processes in its namespaces."""
    files = [str(path) for path in ROOT.glob(f"{name}*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return files + [line for line in mounts if f"{ROOT}/{name}" in line] + list(inhabited(wanted))


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds a lab, as a test process does; it prints the pids of the two."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, NAME],
        cwd=LAB.parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)
    ran("down", "--name", NAME)


def test_two_labs_with_the_same_addresses_do_not_meet() -> None:
    names = [f"{NAME}-{letter}" for letter in "ab"]
    with contextlib.ExitStack() as stack:
        labs = []
        for name in names:
            labs.append(Lab.start(name, "--vms", "1"))
            stack.callback(labs[-1].stop)
        listed = {load["name"] for load in json.loads(ran("list").stdout)}
        assert listed >= set(names)
        assert labs[0].password != labs[1].password
        for lab in labs:
            assert lab.ssh("10.77.0.101", f"echo {lab.name} >/root/note").returncode == 0
        for lab in labs:
            assert lab.ssh("10.77.0.101", "cat /root/note").stdout.strip() == lab.name
        strange = labs[1].ssh_private_key
        refused = labs[0].exec(
            [
                *("ssh", "-i", strange, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
                *("-o", "UserKnownHostsFile=/dev/null", "root@10.77.0.101", "true"),
            ]
        )
        assert refused.returncode == 255
        assert "Permission denied" in refused.stderr
        labs[0].stop()
        assert labs[1].ssh("10.77.0.101", "cat /root/note").stdout.strip() == labs[1].name


def test_the_machine_itself_sees_nothing_of_a_lab(lab: Lab) -> None:
    with pytest.raises(FileNotFoundError):
        (lab.directory / "disks" / "template").stat()
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    assert "br0" not in links.stdout
    assert str(lab.directory) not in Path("/proc/self/mountinfo").read_text()
    assert lab.exec(["ip", "-4", "-o", "address", "show", "br0"]).stdout.count("10.77.0.254") == 1


def test_nothing_is_left_after_down() -> None:
    up = ran("up", "--name", NAME, "--vms", "2", "--vcenters", "2")
    assert up.returncode == 0, up.stderr
    described = json.loads(up.stdout)
    assert [[vm["name"] for vm in vcenter["vms"]] for vcenter in described["vcenters"]] == [
        ["web01", "web02"],
        ["db01", "db02"],
    ]
    theirs = namespaces(described["pid"])
    assert len(theirs) >= 2 + 2 * 4  # the lab's own, and those of four hosts
    again = ran("up", "--name", NAME)
    assert (again.returncode, again.stdout) == (1, "")
    assert f"lab down --name {NAME}" in again.stderr
    assert ran("down", "--name", NAME).returncode == 0
    assert left(NAME, theirs) == []
    assert ran("down", "--name", NAME).returncode == 0
    gone = ran("exec", "--name", NAME, "true")
    assert gone.returncode == 1
    assert f"no lab {NAME!r} is up" in gone.stderr


def test_nothing_is_left_of_a_lab_whose_test_process_was_killed(
    holder: "subprocess.Popen[str]",
) -> None:
    assert holder.stdout is not None
    pid, _ = map(int, holder.stdout.readline().split())
    theirs = namespaces(pid)
    assert inhabited(theirs) == theirs
    holder.kill()
    until(lambda: left(NAME, theirs) == [], "the lab ends by itself")


def test_what_a_killed_lab_leaves_is_removed_when_the_next_starts(
    holder: "subprocess.Popen[str]",
) -> None:
    assert holder.stdout is not None
    pid, starter = map(int, holder.stdout.readline().split())
    theirs = namespaces(pid)
    os.kill(starter, signal.SIGKILL)  # nobody is there to clean up
    until(lambda: inhabited(theirs) == set(), "the kernel ends what was in the lab")
    assert (ROOT / NAME).is_dir()
    other = Lab.start(f"{NAME}-next", "--no-hosts")
    try:
        assert [path for path in ROOT.glob(f"{NAME}*") if "next" not in path.name] == []
    finally:
        other.stop()
    assert left(f"{NAME}-next", set()) == []


def test_exec_passes_the_exit_status_on(lab: Lab) -> None:
    assert lab.exec(["sh", "-c", "exit 0"]).returncode == 0
    assert lab.exec(["sh", "-c", "exit 37"]).returncode == 37
    assert lab.exec(["no-such-command"]).returncode == 127


def test_exec_passes_signals_on(lab: Lab) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        process = lab.popen(["sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -number
    trapping = "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    process = lab.popen(["bash", "-c", trapping], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.communicate(timeout=PATIENCE)[0] == "told\n"
    assert process.returncode == 5


def test_exec_changes_the_network_and_nothing_else(lab: Lab, tmp_path: Path) -> None:
    """Folder, user, environment, standard input, files and the signals that are ignored."""
    shell = [
        "sh",
        "-c",
        "pwd; id; echo $LAB_TEST; cat; ls -id / /run /tmp; grep SigIgn /proc/self/status",
    ]
    settings: dict[str, Any] = {
        "cwd": tmp_path,
        "env": {**os.environ, "LAB_TEST": "kept"},
        "input": "read\n",
        "text": True,
        "capture_output": True,
    }
    without = subprocess.run(shell, check=True, **settings)
    assert "kept\nread\n" in without.stdout
    assert lab.exec(shell, **settings).stdout == without.stdout
    for kind, shared in (("mnt", True), ("pid", True), ("net", False)):
        there = lab.exec(["readlink", f"/proc/self/ns/{kind}"]).stdout.strip()
        assert (there == str(Path(f"/proc/self/ns/{kind}").readlink())) is shared


def test_sh_passes_the_exit_status_on_and_names_what_is_off(lab: Lab) -> None:
    host = "host-10.77.0.61"
    assert ran("host", "10.77.0.61", "--name", lab.name).returncode == 0
    assert lab.ssh("10.77.0.61", "hostname").stdout.strip() == "host-10-77-0-61"
    assert lab.sh(host, "sh", "-c", "exit 9").returncode == 9
    unknown = lab.sh("web77", "true")
    assert (unknown.returncode, "no host web77" in unknown.stderr) == (1, True)


def test_hosts_whose_names_begin_alike_do_not_take_each_others_network(lab: Lab) -> None:
    addresses = ["10.77.0.161", "10.77.0.162", "10.77.0.16"]
    for address in addresses:
        assert ran("host", address, "--name", lab.name).returncode == 0
    names = [lab.ssh(address, "hostname").stdout.strip() for address in addresses]
    assert names == [f"host-{address.replace('.', '-')}" for address in addresses]


def test_a_silent_address_answers_ping_and_refuses_ssh(lab: Lab) -> None:
    assert ran("silent", "10.77.0.62", "--name", lab.name).returncode == 0
    assert lab.exec(["ping", "-c1", "-W1", "10.77.0.62"]).returncode == 0
    assert "refused" in lab.exec(["bash", "-c", "exec 3<>/dev/tcp/10.77.0.62/22"]).stderr
    outside = ran("silent", "192.0.2.1", "--name", lab.name)
    assert outside.returncode == 2
    assert "10.77.0.0/24" in outside.stderr


def test_a_lab_without_hosts_is_large_and_quick() -> None:
    started = time.monotonic()
    lab = Lab.start(f"{NAME}-large", "--no-hosts", "--vms", "300")
    try:
        assert len(lab.described["vcenters"][0]["vms"]) == 300
        assert time.monotonic() - started < 20 * slowness()
    finally:
        lab.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_lab_that_is_stopped_while_it_starts_leaves_nothing(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [LAB, "up", "--name", f"{NAME}-many", "--vms", "100"], stdout=subprocess.PIPE, text=True
    )
    log = ROOT / f"{NAME}-many" / "log" / "keeper.log"
    until(log.exists, "its process 1 is about to be started")
    refused = ran("down", "--name", f"{NAME}-many")
    assert (refused.returncode, "just starting" in refused.stderr) == (1, True)
    process.send_signal(number)
    assert process.communicate(timeout=PATIENCE)[0] == ""
    assert process.returncode == 128 + number
    assert left(f"{NAME}-many", set()) == []
    until(lambda: processes_of(f"{NAME}-many") == [], "its processes end")


def processes_of(name: str) -> list[str]:
    """The processes that have the lab's name in their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if name.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found
