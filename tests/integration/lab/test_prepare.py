"""lab/prepare and lab/fresh without root or without apt say what is missing, and touch nothing."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab_fixture import LAB, Lab

NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@pytest.fixture
def copy() -> Iterator[Path]:
    """A copy of the lab that everybody may read and write, as it comes from a fresh clone."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        shutil.copytree(LAB.parent, root / "lab", ignore=shutil.ignore_patterns(".build"))
        (root / "lab").chmod(0o777)
        yield root / "lab"


def ran(argv: tuple[str | Path, ...], path: str | None = None) -> tuple[int, str]:
    """The exit status, and what was said on standard error; nothing else is ever said."""
    environment = None if path is None else {"PATH": path}
    told = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert told.stdout == ""
    return told.returncode, told.stderr


def missing(copy: Path) -> None:
    """Let the copy find that Go's library of vSphere is not installed."""
    script = copy / "prepare"
    script.write_text(script.read_text().replace("/usr/share/gocode/src", "/nowhere/src"))


def test_without_root_it_says_how_to_get_what_is_missing(copy: Path) -> None:
    missing(copy)
    before = sorted(copy.rglob("*"))
    for option in ((), ("--build",)):
        status, said = ran((*NOBODY, copy / "prepare", *option))
        assert status == 1
        assert "golang-github-vmware-govmomi-dev" in said
        assert "openssh-server" not in said
        assert "sudo" in said
    status, said = ran((*NOBODY, copy / "prepare", "--only", "python3-venv"))
    assert (status, "sudo apt-get install python3-venv" in said) == (1, True)
    assert sorted(copy.rglob("*")) == before


def test_without_root_where_nothing_is_missing_it_asks_for_root(copy: Path) -> None:
    for program in (("prepare",), ("lab", "list"), ("fresh", "trixie")):
        status, said = ran((*NOBODY, copy / program[0], *program[1:]))
        assert (status, "root" in said) == (1, True)
    assert not (copy / ".build").exists()


def test_without_apt_it_says_what_is_missing(copy: Path, tmp_path: Path) -> None:
    missing(copy)
    for program in ("bash", "env", "dirname", "realpath", "id"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    for option in ((), ("--only", "python3-venv")):
        status, said = ran((copy / "prepare", *option), path=str(tmp_path))
        assert (status, "no apt-get" in said) == (1, True)
        assert (option[1:] or ("golang-github-vmware-govmomi-dev",))[0] in said
    assert not (copy / ".build").exists()


def test_a_service_that_it_installs_is_not_started_at_the_next_boot(lab: Lab) -> None:
    """On a host of the lab, where nothing is to be downloaded: it has all of this machine's."""
    address = "10.77.0.65"
    host = f"host-{address}"
    subprocess.run([LAB, "host", address, "--name", lab.name], check=True)
    links = ("sh", "-c", "cd /etc; ls rc2.d systemd/system/multi-user.target.wants/ 2>&1")
    assert lab.sh(host, "update-rc.d", "ssh", "enable").returncode == 0
    assert "S01ssh" in lab.sh(host, *links).stdout

    script = (LAB.parent / "prepare").read_text()
    done = lab.sh(host, "bash", "-c", script, "prepare", "--only", "openssh-server")

    assert done.returncode == 0, done.stderr
    assert "can't disable" not in done.stderr
    listed = lab.sh(host, *links).stdout.split()
    assert "K01ssh" in listed
    assert "S01ssh" not in listed
    assert "ssh.service" not in listed


@pytest.mark.parametrize("arguments", [("--only",), ("--what",)])
def test_an_unknown_argument_is_answered_with_the_usage(arguments: tuple[str, ...]) -> None:
    status, said = ran((LAB.parent / "prepare", *arguments))
    assert (status, said.startswith("usage: ")) == (2, True)


@pytest.mark.parametrize("arguments", [(), ("sarge",), ("trixie-backports",), ("--folder",)])
def test_a_fresh_debian_is_one_of_two(arguments: tuple[str, ...]) -> None:
    status, said = ran((LAB.parent / "fresh", *arguments))
    assert (status, said.startswith("usage: ")) == (2, True)
