"""What goes wrong after the first change of a deploy, and what becomes of it then.

docs/reference/faults.md is made of what these tests observe; DIAKEN_WRITE_FAULTS=1 rewrites it.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deploying import IP, NAME, Deploying, deploy_lab, deploying, left, statuses
from tests.e2e.faults import BAD, BOTH, CASES, SLOW_CLONE, Fault, order
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


@pytest.fixture
def small_disk(tmp_path: Path, deploy_lab: Lab) -> Iterator[Deploying]:
    """A database on a small disk of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "small", folder], check=True)
    try:
        deploying = Deploying(folder, deploy_lab)
        yield deploying
        deploying.remove_machines()
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def late_tools(tmp_path: Path) -> Iterator[Deploying]:
    """A lab in which VMware Tools take a minute to report."""
    lab = Lab.start(f"late-{os.getpid()}", "--tools-delay", "60s")
    yield Deploying(tmp_path, lab)
    lab.stop()


def observe(case: Fault, seen: str) -> None:
    """Hold the line of a fault against the page, or write it there where that is asked."""
    known = written()
    if os.environ.get("DIAKEN_WRITE_FAULTS"):
        known[case.what] = seen
        PAGE.write_text(HEAD + "".join(known[each.what] for each in CASES if each.what in known))
    assert seen == known[case.what]


def written() -> dict[str, str]:
    """The lines of the page, by what happens."""
    lines = PAGE.read_text().removeprefix(HEAD).splitlines(keepends=True) if PAGE.exists() else []
    return {each.split(" | ")[0].removeprefix("| "): each for each in lines}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_it_is_named_and_undone(request: pytest.FixtureRequest, case: Fault) -> None:
    deploying = request.getfixturevalue(case.world)
    (deploying.folder / "playbooks" / "broken.yml").write_text("- hosts: all\n  tasks: nothing\n")
    before = deploying.world()
    for each in case.orders:
        each(deploying)
    with deploying.going_on(*deploying.words(*case.more)) as call:
        if case.during:
            call.until_in(case.during)
            case.then(deploying)
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
    if case.left:
        assert_reserved_until_aborted(deploying, run)
    assert deploying.running_tasks() == []
    if case.code is not None:
        assert deploying.world() == before
    observe(case, line(case, status, run, deploying.folder))


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


def fill_disk(deploying: Deploying) -> None:
    """Leave no room beside the database."""
    filler = deploying.folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            with suppress(OSError):
                while True:
                    file.write(b" " * size)


def test_a_full_disk_stops_it_and_is_told(small_disk: Deploying) -> None:
    before = small_disk.world()
    SLOW_CLONE(small_disk)
    with small_disk.going_on(*small_disk.words()) as call:
        call.until_in("clone")
        fill_disk(small_disk)
        status, printed = call.ended()

    assert status == 1, printed
    assert printed["error"]["message"].startswith("clone: no room is left on the disk")
    assert "diaken deploy abort 1" in printed["error"]["hint"]
    (small_disk.folder / "filler").unlink()
    (run,) = small_disk.json("history", "list")
    assert (run["status"], ("host", NAME) in left(run)) == ("interrupted", True)
    small_disk.json("deploy", "abort", "1", "--yes")
    assert small_disk.world() == before


def test_nothing_is_begun_on_a_full_disk(small_disk: Deploying) -> None:
    before = small_disk.world()
    fill_disk(small_disk)

    error = small_disk.error(10, *small_disk.words())

    assert "no room is left on the disk" in error["message"]
    (small_disk.folder / "filler").unlink()
    assert small_disk.world() == before


def test_the_page_has_just_these_faults() -> None:
    assert list(written()) == [case.what for case in CASES]


def test_what_failed_is_kept_where_that_is_asked(deploying: Deploying) -> None:
    run = deploying.deploy(*BAD, "--keep-on-failure", status=1)

    assert (run["status"], sorted(left(run))) == ("failed", list(BOTH))
    assert f"deploy resume {run['id']}" in run["error"]["hint"]
    assert deploying.machines()[NAME].on
    assert f"{IP}\t{NAME}\n" in deploying.hosts_file.read_text()
    assert f"belongs to deploy run {run['id']}" in deploying.run("hosts", "list").err
    (deploying.folder / "playbooks" / "bad.yml").write_text("- hosts: all\n  gather_facts: false\n")

    resumed = deploying.json("deploy", "resume", str(run["id"]))

    assert (resumed["status"], resumed["error"], resumed["leftovers"]) == ("success", None, [])
    assert set(statuses(resumed).values()) == {"success"}
    assert deploying.json("hosts", "show", NAME)["active"]


def test_keeping_keeps_nothing_where_nothing_was_made(deploying: Deploying) -> None:
    before = deploying.world()
    order("taskfault", "CloneVM_Task", fault="NoDiskSpace")(deploying)

    run = deploying.deploy("--keep-on-failure", status=1)

    assert left(run) == [("host", NAME)]
    deploying.json("deploy", "abort", str(run["id"]), "--yes")
    assert deploying.world() == before
