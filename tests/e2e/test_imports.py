"""What a quick call must not load."""

import subprocess
import sys

import pytest

HEAVY = ("sqlmodel", "sqlalchemy", "pyVmomi", "ansible_runner")
LOADED = (
    "import sys; sys.argv = ['diaken', {arguments}]\n"
    "from diaken_cli.__main__ import main\n"
    "try:\n    main()\nexcept SystemExit:\n    pass\n"
    "print('LOADED', *sys.modules)\n"
)


def loaded(*arguments: str) -> set[str]:
    program = LOADED.format(arguments=", ".join(map(repr, arguments)))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_the_version_does_not_load_typer() -> None:
    assert not loaded("--version") & {"typer", "rich", *HEAVY}


@pytest.mark.parametrize(
    "group", ["", "deploy", "run", "schedule", "scheduler", "snapshots", "hosts", "history"]
)
def test_help_loads_nothing_heavy(group: str) -> None:
    found = loaded(*([group] if group else []), "--help")
    assert "typer" in found
    assert not found & set(HEAVY)
