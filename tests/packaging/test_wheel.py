"""The wheel, as users install it: what is in it, and that it works on every Python that is here."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from diaken_cli import __version__
from diaken_cli.commands import GROUPS

TOP = Path(__file__).parents[2]
OLDEST = 11


def pythons() -> dict[str, Path]:
    """Every Python 3.11 or newer of this machine, by its version; the newest patch of each."""
    folders = [Path(part) for part in os.environ["PATH"].split(os.pathsep)]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    found = {"{}.{}".format(*sys.version_info): Path(sys.executable)}
    for path in (path for folder in folders for path in folder.glob("python3.*")):
        minor = re.fullmatch(r"python3\.(\d+)", path.name)
        if minor and int(minor[1]) >= OLDEST and _starts(path):
            found.setdefault(f"3.{minor[1]}", path)
    return found


def _starts(python: Path) -> bool:
    """Whether it is one: a version manager has scripts of that name for what is not there."""
    asked = [str(python), "-c", "import venv, ensurepip"]
    return subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0


PYTHONS = pythons()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(TOP)], check=True, timeout=300)
    (made,) = folder.iterdir()
    return made


def test_the_wheel_has_all_that_diaken_needs_and_nothing_else(wheel: Path) -> None:
    assert wheel.name == f"diaken_cli-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = f"diaken_cli-{__version__}.data/data/share"
    playbooks = {path.relative_to(TOP) for path in (TOP / "playbooks").rglob("*.yml")}
    wanted = {f"diaken_cli/{path}" for path in playbooks}
    wanted |= {f"{data}/man/man1/{page}.1" for page in ("diaken", *(f"diaken-{g}" for g in GROUPS))}
    wanted |= {
        f"{data}/bash-completion/completions/diaken",
        f"{data}/zsh/site-functions/_diaken",
        f"{data}/fish/vendor_completions.d/diaken.fish",
        "diaken_cli/config.example.toml",
        "diaken_cli/render/report.css",
        "diaken_cli/render/report.html",
    }
    assert wanted - names == set()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"diaken_cli"} | {
        f"diaken_cli-{__version__}.{each}" for each in ("data", "dist-info")
    }
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


@pytest.mark.parametrize("version", PYTHONS)
def test_it_works_from_an_empty_environment(version: str, wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    options: dict[str, Any] = {"check": True, "timeout": 600, "capture_output": True, "text": True}
    subprocess.run([str(PYTHONS[version]), "-m", "venv", str(venv)], **options)
    subprocess.run(
        [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel)], **options
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "DIAKEN_HOSTS_FILE_PATH": str(tmp_path / "hosts"),
        "DIAKEN_DATABASE": str(tmp_path / "diaken.db"),
    }

    def diaken(*words: str) -> str:
        argv = [str(venv / "bin/diaken"), *words]
        done = subprocess.run(argv, env=environment, cwd=tmp_path, **options | {"check": False})
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    (tmp_path / "hosts").touch()
    assert diaken("--version") == f"diaken {__version__}\n"
    diaken("config", "init", "--no-input", "--path", str(tmp_path / ".config/diaken/config.toml"))
    diaken("environments", "add", "PROD")
    diaken("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    assert json.loads(diaken("hosts", "list", "--json"))[0]["name"] == "web01"
    assert "10.0.4.21\tweb01" in (tmp_path / "hosts").read_text()
    # Ansible, of the same environment, checks the syntax of a playbook that is in the wheel.
    shown = json.loads(diaken("playbooks", "show", "update", "--json"))
    assert Path(shown["path"]).is_relative_to(venv)
    assert (venv / "share/man/man1/diaken.1").is_file()
    shutil.rmtree(venv)
