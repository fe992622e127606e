"""What goes wrong after the first change of a deploy, and what becomes of it then.

docs/reference/faults.md is made of what these tests observe; DIAKEN_WRITE_FAULTS=1 rewrites it.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deploying import IP, NAME, Deploying, deploy_lab, deploying, left, statuses
from tests.lab_fixture import Lab

__all__ = ["deploy_lab", "deploying"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "faults.md"
HEAD = """\
# What can go wrong in a deploy

Each line was observed on a simulated vCenter that was told to misbehave; the tests observe it again
(`tests/e2e/test_deploy_faults.py`). The deploy was `diaken deploy vm web01 --ip 10.77.0.21/24 …`.
The first word of a message is the step that it stopped in. "nothing" left means: no VM, no host in
the inventory, no line in the hosts file. What is left keeps its name and its address reserved until
`diaken deploy resume` or `diaken deploy abort`.

| what happens | run | exit | code | what is said | left |
|---|---|---|---|---|---|
"""
BOTH = (("host", NAME), ("vm", NAME))

Order = Callable[[Lab], object]


def order(request: str, method: str, **parameters: Any) -> Order:
    """An order to the simulator."""
    return lambda lab: lab.sim(request, method=method, **parameters)


@dataclass(frozen=True)
class Fault:
    """What happens, and what has to become of it.

    `orders` are given before the deploy, `then` as soon as it is in the step `during`. With
    `late_tools` VMware Tools report nothing by themselves before it is too late.
    """

    what: str
    orders: tuple[Order, ...] = ()
    more: tuple[str, ...] = ()
    during: str = ""
    then: Order = lambda _: None
    step: str = "clone"
    code: str | None = None
    said: str = ""
    left: tuple[tuple[str, str], ...] = ()
    late_tools: bool = False

    @property
    def status(self) -> int:
        """The exit status: a fault that is survived has no code."""
        return 0 if self.code is None else 1


def clone_fault(fault: str, what: str, code: str, said: str = "") -> Fault:
    """The vSphere task of the clone ends with a fault."""
    ordered = order("taskfault", "CloneVM_Task", fault=fault)
    return Fault(f"{what} (`{fault}`)", (ordered,), code=code, said=said)


SLOW_CLONE = order("taskdelay", "CloneVM_Task", ms=1500)
NO_DESTROY = order("soapfault", "Destroy_Task", fault="NoPermission")
BAD = ("--playbook", "bad")

CASES = (
    clone_fault("GenericVmConfigFault", "The clone fails", "generic_vm_config_fault"),
    clone_fault("DuplicateName", "Somebody else takes the name", "duplicate_name", "taken"),
    clone_fault("NoDiskSpace", "The datastore fills up", "no_disk_space", "full"),
    clone_fault("InsufficientResourcesFault", "The cluster is full", "insufficient_resources"),
    clone_fault("CustomizationFault", "The guest can't be customized", "customization"),
    Fault(
        "The account may not clone (`NoPermission`)",
        (order("soapfault", "CloneVM_Task", fault="NoPermission"),),
        code="no_permission",
        said="administrator@vsphere.local",
    ),
    Fault(
        "The clone never ends",
        (order("endless", "CloneVM_Task"),),
        ("--clone-timeout", "2s"),
        code="timed_out",
        said="--clone-timeout",
    ),
    Fault(
        "HTTP 503 in answer to the clone",
        (order("http", "CloneVM_Task", status=503),),
        code="outcome_unknown",
        said="503",
    ),
    Fault(
        "The connection breaks before vCenter takes up the clone",
        (order("reset", "CloneVM_Task", when="before"),),
        code="outcome_unknown",
        said="CloneVM_Task",
    ),
    Fault(
        "The connection breaks after vCenter took up the clone",
        (order("reset", "CloneVM_Task", when="after"), SLOW_CLONE),
        code="outcome_unknown",
        said="CloneVM_Task",
    ),
    Fault(
        "The connection breaks after the clone was begun and is over",
        (order("reset", "CloneVM_Task", when="after"),),
        code="outcome_unknown",
        said="CloneVM_Task",
    ),
    Fault(
        "HTTP 503 for as long as the deploy tries",
        (SLOW_CLONE,),
        during="clone",
        then=order("http", "*", status=503, count=500),
        code="unreachable",
        said="503",
        left=BOTH,
    ),
    Fault(
        "HTTP 503 once, while it waits",
        (SLOW_CLONE,),
        during="clone",
        then=order("http", "*", status=503),
    ),
    Fault(
        "The connection breaks once, while it waits",
        (SLOW_CLONE,),
        during="clone",
        then=order("reset", "WaitForUpdatesEx"),
    ),
    Fault(
        "vCenter ends the session",
        (SLOW_CLONE,),
        during="clone",
        then=lambda lab: lab.sim("expire"),
    ),
    Fault(
        "The VM can't be powered on (`InsufficientResourcesFault`)",
        (order("taskfault", "PowerOnVM_Task", fault="InsufficientResourcesFault"),),
        step="power_on",
        code="insufficient_resources",
    ),
    Fault(
        "The account may not power on (`NoPermission`)",
        (order("soapfault", "PowerOnVM_Task", fault="NoPermission"),),
        step="power_on",
        code="no_permission",
    ),
    Fault(
        "Powering on never ends",
        (order("endless", "PowerOnVM_Task"),),
        ("--ip-timeout", "2s"),
        step="power_on",
        code="timed_out",
        said="--ip-timeout",
    ),
    Fault(
        "The VM reports no address",
        more=("--ip-timeout", "3s"),
        late_tools=True,
        step="wait_address",
        code="no_address",
        said="it reported none",
    ),
    Fault(
        "The VM reports another address",
        more=("--ip-timeout", "3s"),
        late_tools=True,
        during="wait_address",
        then=lambda lab: lab.sim("guest", vm=NAME, ip="10.77.0.99"),
        step="wait_address",
        code="no_address",
        said="it reported 10.77.0.99",
    ),
    Fault(
        "SSH does not answer",
        more=("--playbook", "good", "--port", "2222", "--ssh-timeout", "2s"),
        step="provision",
        code="no_ssh",
        said="within 2 s",
    ),
    Fault(
        "SSH refuses the user",
        more=("--playbook", "good", "--user", "nobody", "--ssh-timeout", "6s"),
        step="provision",
        code="no_ssh",
        said="nobody",
    ),
    Fault(
        "A task of a playbook fails",
        more=BAD,
        step="provision",
        code="provision_failed",
        said="Start nginx: port 80 is taken",
    ),
    Fault(
        "A playbook can't be parsed",
        more=("--playbook", "broken"),
        step="provision",
        code="ansible",
        said="broken",
    ),
    Fault(
        "Undoing may not destroy the VM (`NoPermission`)",
        (NO_DESTROY,),
        BAD,
        step="provision",
        code="provision_failed",
        left=BOTH,
    ),
    Fault(
        "Undoing can't destroy the VM: its vSphere task fails",
        (order("taskfault", "Destroy_Task", fault="FileLocked"),),
        BAD,
        step="provision",
        code="provision_failed",
        left=BOTH,
    ),
    Fault(
        "Undoing can't power the VM off",
        (order("soapfault", "PowerOffVM_Task", fault="NoPermission"),),
        BAD,
        step="provision",
        code="provision_failed",
        left=BOTH,
    ),
    Fault(
        "The identity can't be taken off the VM",
        (order("taskfault", "ReconfigVM_Task", fault="FileLocked"),),
    ),
)


@pytest.fixture
def late_tools(tmp_path: Path) -> Iterator[Deploying]:
    """A lab in which VMware Tools take a minute to report."""
    lab = Lab.start(f"late-{os.getpid()}", "--tools-delay", "60s")
    yield Deploying(tmp_path, lab)
    lab.stop()


@pytest.fixture(scope="module")
def page() -> Iterator[dict[str, str]]:
    """The line of each fault as it was observed; the page is made of them where that is asked."""
    observed: dict[str, str] = {}
    yield observed
    if os.environ.get("DIAKEN_WRITE_FAULTS"):
        known = written() | observed
        PAGE.write_text(HEAD + "".join(known[case.what] for case in CASES if case.what in known))


def written() -> dict[str, str]:
    """The lines of the page, by what happens."""
    lines = PAGE.read_text().removeprefix(HEAD).splitlines(keepends=True) if PAGE.exists() else []
    return {each.split(" | ")[0].removeprefix("| "): each for each in lines}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_it_is_named_and_undone(
    request: pytest.FixtureRequest, page: dict[str, str], case: Fault
) -> None:
    deploying = request.getfixturevalue("late_tools" if case.late_tools else "deploying")
    (deploying.folder / "playbooks" / "broken.yml").write_text("- hosts: all\n  tasks: nothing\n")
    before = deploying.world()
    for each in case.orders:
        each(deploying.lab)
    with deploying.going_on(*deploying.words(*case.more)) as call:
        if case.during:
            call.until_in(case.during)
            case.then(deploying.lab)
        status, run = call.ended()

    assert status == case.status, run
    if case.code is None:
        assert (run["status"], run["error"]) == ("success", None)
    else:
        assert (run["status"], run["error"]["code"]) == ("failed", case.code)
        assert run["error"]["message"].startswith(f"{case.step}: ")
        assert case.said in f"{run['error']['message']} {run['error']['hint']}"
        assert statuses(run)[case.step] == "failed"
    assert sorted(left(run)) == sorted(case.left)
    deploying.lab.sim("clear")
    assert deploying.running_tasks() == []
    if case.left:
        assert_reserved_until_aborted(deploying, run)
    if case.code is not None:
        assert deploying.world() == before
    page[case.what] = line(case, status, run, deploying.folder)
    if not os.environ.get("DIAKEN_WRITE_FAULTS"):
        assert page[case.what] == written()[case.what]


def assert_reserved_until_aborted(deploying: Deploying, run: Any) -> None:
    """Name and address are refused to others; `deploy abort` gives them back."""
    number = str(run["id"])
    assert f"deploy abort {number}" in run["error"]["hint"]
    assert set(deploying.mistakes(12, *deploying.words(ip="10.77.0.22"))) == {"NAME"}
    assert "--ip" in deploying.mistakes(12, *deploying.words(name="web02"))
    aborted = deploying.json("deploy", "abort", number, "--yes")
    assert (aborted["status"], aborted["leftovers"]) == ("canceled", [])
    assert aborted["error"] == run["error"]


def line(case: Fault, status: int, run: Any, folder: Path) -> str:
    """The line of the page; what differs from one run to the next is left out."""
    error = run["error"] or {"code": "", "message": ""}
    said = error["message"].replace("\n", " ").replace(f"{folder}/", "")
    said = re.sub(r"\(\w+, (\d) tries in \d+\.\d s\)", r"(\1 tries)", said)
    said = re.sub(r"\b(vm|task|host|group|session)-\d+\b", r"\1-…", said).replace("|", r"\|")
    code = f"`{error['code']}`" if error["code"] else ""
    what_is_left = ", ".join(f"{kind} {name}" for kind, name in left(run)) or "nothing"
    if case.code is None:
        what_is_left = ""
    return f"| {case.what} | {run['status']} | {status} | {code} | {said} | {what_is_left} |\n"


def test_the_page_has_just_these_faults() -> None:
    assert list(written()) == [case.what for case in CASES]


def test_what_failed_is_kept_where_that_is_asked(deploying: Deploying) -> None:
    run = deploying.deploy(*BAD, "--keep-on-failure", status=1)

    assert (run["status"], sorted(left(run))) == ("failed", list(BOTH))
    assert f"deploy resume {run['id']}" in run["error"]["hint"]
    assert deploying.machines()[NAME].on
    assert f"{IP}\t{NAME}\n" in deploying.hosts_file.read_text()
    (deploying.folder / "playbooks" / "bad.yml").write_text("- hosts: all\n  gather_facts: false\n")

    resumed = deploying.json("deploy", "resume", str(run["id"]))

    assert (resumed["status"], resumed["error"], resumed["leftovers"]) == ("success", None, [])
    assert set(statuses(resumed).values()) == {"success"}
    assert deploying.json("hosts", "show", NAME)["active"]


def test_keeping_keeps_nothing_where_nothing_was_made(deploying: Deploying) -> None:
    before = deploying.world()
    order("taskfault", "CloneVM_Task", fault="NoDiskSpace")(deploying.lab)

    run = deploying.deploy("--keep-on-failure", status=1)

    assert left(run) == [("host", NAME)]
    deploying.json("deploy", "abort", str(run["id"]), "--yes")
    assert deploying.world() == before
