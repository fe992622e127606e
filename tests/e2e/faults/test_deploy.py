"""What goes wrong after the first change of a deploy, and what becomes of it then.

docs/reference/faults.md is made of what these tests observe; DIAKEN_WRITE_FAULTS=1 rewrites it.
"""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import DIAKEN
from tests.e2e.deploy.deploying import IP, NAME, Deploying, deploy_lab, deploying, left, statuses
from tests.e2e.faults import STEPS
from tests.e2e.faults.fault import (
    BAD,
    BOTH,
    HELD_CLOCK,
    HOST,
    NO_RUN,
    RELEASED_CLOCK,
    SLOW_CLONE,
    UNAVAILABLE,
    Fault,
    fill_disk,
    make_room,
    order,
)
from tests.e2e.faults.hosts_file import kept_from_writing, set_free
from tests.e2e.faults.page import observe, written
from tests.lab_fixture import Lab, running_lab

__all__ = ["deploy_lab", "deploying"]

WAITING_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Take long
      ansible.builtin.raw: touch /tmp/begun; sleep 30
"""
IMPATIENT = """
from diaken_cli import bounds
from diaken_cli.actions.deploy import own_vm
from diaken_cli.services.vsphere import session, transport
from diaken_cli.store.engines import sqlite
from diaken_cli.__main__ import main

session.connect.__kwdefaults__["connect_timeout"] = 1.0
bounds.VCENTER_SILENCE, transport.PAUSES, sqlite.BUSY_SECONDS = 1.0, (0.1, 0.1, 0.1), 1
own_vm.LATE_SECONDS = 1.0
main()
"""
WITHOUT_ANSIBLE = """
import os, sys
from diaken_cli.__main__ import main

sys.executable, os.environ["PATH"] = "/nowhere/python3", "/usr/bin:/bin"
main()
"""
CASES = [case for cases in STEPS.values() for case in cases]


@pytest.fixture
def small_disk(tmp_path: Path, deploy_lab: Lab) -> Iterator[Deploying]:
    """A database on a small disk of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M,mode=0700", "small", folder], check=True)
    try:
        deploying = Deploying(folder, deploy_lab)
        yield deploying
        deploying.remove_machines()
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def late_tools(tmp_path: Path) -> Iterator[Deploying]:
    """A lab in which VMware Tools take a minute to report."""
    with running_lab("late", "--tools-delay", "60s") as lab:
        yield Deploying(tmp_path, lab)


@pytest.fixture
def without_ansible(deploying: Deploying) -> Deploying:
    """A command that does not find Ansible."""
    deploying.started_by = (DIAKEN[0], "-c", WITHOUT_ANSIBLE)
    return deploying


@pytest.fixture
def impatient(deploying: Deploying) -> Deploying:
    """A command that waits for no answer, and for no database, longer than a second."""
    deploying.started_by = (DIAKEN[0], "-c", IMPATIENT)
    return deploying


FULL_DISK = [case for case in CASES if case.world == "small_disk"]
OTHERS = [case for case in CASES if case.world != "small_disk"]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.what)
def test_a_fault_is_named_and_the_deploy_undone(
    request: pytest.FixtureRequest, case: Fault
) -> None:
    deploying = request.getfixturevalue(case.world)
    (deploying.folder / "playbooks" / "broken.yml").write_text("- hosts: all\n  tasks: nothing\n")
    (deploying.folder / "playbooks" / "waits.yml").write_text(WAITING_PLAYBOOK)
    before = deploying.world()
    for each in case.orders:
        each(deploying)
    status, run, said = carried_out(deploying, case)

    assert status == case.status, run
    assert (ended(run), (run["error"] or {}).get("code")) == (case.ends, case.code)
    if case.code is not None:
        # A name that another has taken, and a playbook, is said as a mistake, by its option.
        by_option = case.code == "in_use" or (case.step, case.code) == ("validate", "ansible")
        assert by_option or run["error"]["message"].startswith(f"{case.step}: ")
        assert case.said in f"{run['error']['message']} {run['error']['hint']}"
        if case.ends == NO_RUN:
            assert deploying.json("history", "list") == []
        else:
            assert statuses(run)[case.step] == "failed"
    assert case.warned in said
    assert case.warned or case.code or "warning: " not in said
    assert sorted(left(run)) == sorted(case.left)
    if case.left and (why := re.search(r"could not be undone: (.+)", said)):
        assert why[1] in {each["reason"] for each in run["leftovers"]}
    deploying.lab.sim("clear")
    case.fixed(deploying)
    if case.left and case.code is not None:
        assert_reserved_until_aborted(deploying, run)
    assert deploying.running_tasks() == []
    for name in case.theirs:  # it is there, and may be removed
        deploying.json("hosts", "remove", name, "--yes")
    if case.code is not None:
        assert deploying.world() == before
    observe(case, line(case, status, run, said, deploying.folder))


@pytest.fixture(autouse=True)
def hosts_file_set_free(tmp_path: Path) -> Iterator[None]:
    """A hosts file that was mounted to keep it from being written is so no more."""
    yield
    set_free(tmp_path)


def carried_out(deploying: Deploying, case: Fault) -> tuple[int, Any, str]:
    """The exit status, the JSON document and the standard error of the deploy."""
    with ExitStack() as stack:
        if case.write:
            stack.enter_context(deploying.slow_to(case.write))
        call = stack.enter_context(deploying.watched(*deploying.words(*case.more)))
        if case.during:
            call.until(lambda: case.reached(deploying))
            case.then(deploying)
            if HELD_CLOCK in case.orders:
                RELEASED_CLOCK(deploying)
        if case.stopped:
            call.signal(signal.SIGTERM)
        status, run = call.ended()
        if case.world == "small_disk":  # how the stack ends needs some
            make_room(deploying)
        return status, run, call.said


def ended(printed: Any) -> str:
    """How a run ended, as printed; an error alone is none."""
    return str(printed.get("status", NO_RUN))


def assert_reserved_until_aborted(deploying: Deploying, run: Any) -> None:
    """Name and address are refused to others; `deploy abort` gives them back."""
    number = str(run["id"])
    assert f"deploy abort {number}" in run["error"]["hint"]
    assert set(deploying.mistakes(12, *deploying.words(ip="10.77.0.22"))) == {"NAME"}
    assert "--ip" in deploying.mistakes(12, *deploying.words(name="web02"))
    aborted = deploying.json("deploy", "abort", number, "--yes")
    assert (aborted["status"], aborted["leftovers"]) == ("canceled", [])
    assert aborted["error"] == run["error"] | {"hint": None}, "nothing is left to take up"


def line(case: Fault, status: int, run: Any, warnings: str, folder: Path) -> str:
    """The line of the page; what differs from one run to the next is left out."""
    error = run["error"] or {"code": "", "message": ""}
    told = [error["message"]] if run["error"] else []
    if case.warned:
        told += [each for each in warnings.splitlines() if case.warned in each]
    said = "; ".join(told).replace("\n", " ").replace(f"{folder}/", "")
    said = re.sub(r"in playbooks, /\S*/playbooks\b", "in …/playbooks, …/playbooks", said)
    said = re.sub(r"\(\w+, (\d) (try|tries) in \d+\.\d s\)", r"(\1 \2)", said)
    said = re.sub(r"\(publickey[a-z,-]*\)", "(publickey)", said)  # by sshd's version
    said = re.sub(r"\b(vm|task|host|group|session)-\d+\b", r"\1-…", said).replace("|", r"\|")
    code = f"`{error['code']}`" if error["code"] else ""
    nothing = "" if case.code is None else "nothing"
    what_is_left = ", ".join(f"{kind} {name}" for kind, name in left(run)) or nothing
    return f"| {case.what} | {ended(run)} | {status} | {code} | {said} | {what_is_left} |\n"


@pytest.mark.parametrize("case", FULL_DISK, ids=lambda case: case.what)
def test_a_full_disk_stops_a_deploy(small_disk: Deploying, case: Fault) -> None:
    before = small_disk.world()
    for each in case.orders:
        each(small_disk)
    status, printed, said = carried_out(small_disk, case)

    small_disk.lab.sim("clear")
    (run,) = small_disk.json("history", "list")
    error = printed["error"] or {"code": None, "message": ""}
    assert (status, error["code"], run["status"]) == (case.status, case.code, case.ends)
    assert case.code is None or error["message"].startswith(f"{case.step}: ")
    assert case.said in f"{error['message']} {said}"
    assert case.warned in said
    assert sorted(left(run)) == sorted(case.left)
    if case.left and case.code is not None:
        assert "diaken deploy abort 1" in printed["error"]["hint"]
        small_disk.json("deploy", "abort", "1", "--yes")
    assert (small_disk.world() == before) is (run["status"] != "success")
    observe(case, line(case, status, {**run, "error": printed["error"]}, said, small_disk.folder))


def test_nothing_is_begun_on_a_full_disk(small_disk: Deploying) -> None:
    before = small_disk.world()
    fill_disk(small_disk)

    error = small_disk.error(10, *small_disk.words())

    assert "the disk of the database" in error["message"]
    make_room(small_disk)
    assert small_disk.world() == before


def test_the_page_has_just_these_faults() -> None:
    assert list(written()) == [case.what for case in CASES]


def test_the_identity_is_taken_off_later(deploying: Deploying) -> None:
    order("taskfault", "ReconfigVM_Task", fault="FileLocked")(deploying)
    number = str(deploying.deploy("--clone-timeout", "1s")["id"])

    order("endless", "ReconfigVM_Task")(deploying)
    resumed = deploying.run("deploy", "resume", number)

    assert (resumed.status, deploying.running_tasks()) == (1, [])
    assert f"reconfiguring {NAME} took longer than 1 s and was canceled" in resumed.err
    assert "diaken.run" in deploying.machines()[NAME].extra_config
    order("reset", "ReconfigVM_Task", when="after")(deploying)
    assert deploying.json("deploy", "resume", number)["status"] == "success"
    assert "diaken.run" not in deploying.machines()[NAME].extra_config


def test_what_failed_is_kept_where_that_is_asked(deploying: Deploying) -> None:
    run = deploying.deploy(*BAD, "--keep-on-failure", status=1)

    assert (run["status"], sorted(left(run))) == ("failed", list(BOTH))
    assert {each["reason"] for each in run["leftovers"]} == {None}, "undoing was not tried"
    assert f"deploy resume {run['id']}" in run["error"]["hint"]
    again = deploying.error(12, *deploying.words())
    (mistake,) = again["mistakes"]
    assert mistake["message"].endswith(f"made by deploy run {run['id']}"), "one cause is said once"
    assert again["hint"].startswith(f"Resume: diaken deploy resume {run['id']}; or undo: ")
    asked = deploying.run("deploy", "abort", str(run["id"]))
    assert asked.status == 2
    assert f"destroy its VM {NAME} in vCenter lab, remove host {NAME} ({IP})?" in asked.err
    assert deploying.machines()[NAME].on
    assert f"{IP}\t{NAME}\n" in deploying.hosts_file.read_text()
    assert f"belongs to deploy run {run['id']}" in deploying.run("hosts", "list").err
    (deploying.folder / "playbooks" / "bad.yml").write_text("- hosts: all\n  gather_facts: false\n")

    resumed = deploying.json("deploy", "resume", str(run["id"]))

    assert (resumed["status"], resumed["error"], resumed["leftovers"]) == ("success", None, [])
    assert set(statuses(resumed).values()) == {"success"}
    assert deploying.json("hosts", "show", NAME)["active"]


def test_a_line_that_cannot_be_taken_off_keeps_its_host(deploying: Deploying) -> None:
    before = deploying.world()
    order("taskfault", "PowerOnVM_Task", fault="FileLocked")(deploying)
    run = deploying.deploy("--keep-on-failure", status=1)
    number = str(run["id"])
    kept_from_writing(deploying)

    aborted = deploying.json("deploy", "abort", number, "--yes", status=1)

    assert (aborted["status"], left(aborted)) == ("failed", list(HOST))
    assert f"the line of {NAME} is still in {deploying.hosts_file}" in aborted["error"]["message"]
    assert aborted["error"]["hint"].endswith(f"Then: diaken deploy abort {number}")
    set_free(deploying.folder)
    again = deploying.json("deploy", "abort", number, "--yes")
    assert (again["status"], again["leftovers"]) == ("canceled", [])
    assert deploying.world() == before


def test_keeping_keeps_nothing_where_nothing_was_made(deploying: Deploying) -> None:
    before = deploying.world()
    order("taskfault", "CloneVM_Task", fault="NoDiskSpace")(deploying)

    run = deploying.deploy("--keep-on-failure", status=1)

    assert left(run) == [("host", NAME)]
    deploying.json("deploy", "abort", str(run["id"]), "--yes")
    assert deploying.world() == before


def test_a_vm_that_was_destroyed_is_made_anew(deploying: Deploying) -> None:
    order("taskfault", "PowerOnVM_Task", fault="FileLocked")(deploying)
    SLOW_CLONE(deploying)
    with deploying.watched(*deploying.words()) as call:
        call.until_in("clone")
        kept_from_writing(deploying)
        status, run = call.ended()
    assert (status, left(run)) == (1, list(HOST))
    set_free(deploying.folder)
    deploying.lab.sim("clear")
    number = str(run["id"])
    # Killed once vCenter has made the second VM, and before that is noted.
    with (
        deploying.slow_to("UPDATE ON run_step WHEN NEW.facts LIKE '%task-%'"),
        deploying.watched("deploy", "resume", number) as call,
    ):
        call.until(lambda: NAME in deploying.machines())
        call.kill()

    resumed = deploying.json("deploy", "resume", number)

    assert set(statuses(resumed).values()) == {"success", "skipped"}
    assert list(deploying.machines()) == [NAME]
    assert deploying.json("hosts", "show", NAME)["vm_uuid"] == deploying.machines()[NAME].uuid


def test_what_cannot_be_looked_for_is_kept(impatient: Deploying) -> None:
    before = impatient.world()
    SLOW_CLONE(impatient)
    with impatient.watched(*impatient.words("--keep-on-failure")) as call:
        call.until_in("clone")
        UNAVAILABLE(impatient)
        status, run = call.ended()

    assert (status, sorted(left(run))) == (1, list(BOTH))
    assert run["error"]["message"].startswith("clone: ")
    impatient.lab.sim("clear")
    impatient.json("deploy", "abort", str(run["id"]), "--yes")
    assert impatient.world() == before


def test_the_key_of_a_machine_that_is_not_the_deploys_is_kept(deploying: Deploying) -> None:
    known = deploying.store.beside("known_hosts")
    known.write_text(f"{IP} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA\n")
    order("taskfault", "CloneVM_Task", fault="NoDiskSpace")(deploying)

    deploying.deploy(status=1)

    assert IP in known.read_text()
