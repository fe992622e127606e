"""What a quick call must not load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("sqlmodel", "sqlalchemy", "pyVmomi", "ansible_runner", "jinja2", "dateutil")
LOADED = (
    "import sys; sys.argv = ['diaken', {arguments}]\n"
    "from diaken_cli.__main__ import main\n"
    "try:\n    main()\nexcept SystemExit:\n    pass\n"
    "print('LOADED', *sys.modules)\n"
)


def loaded(*arguments: str, **environment: str) -> set[str]:
    program = LOADED.format(arguments=", ".join(map(repr, arguments)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
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


@pytest.mark.parametrize("command", ["history list", "hosts list", "schedule list"])
def test_what_reads_the_database_loads_nothing_that_is_for_ansible_or_rules(
    command: str, tmp_path: Path
) -> None:
    found = loaded(*command.split(), DIAKEN_DATABASE=str(tmp_path / "diaken.db"))
    assert "sqlmodel" in found
    assert not found & {"yaml", "jinja2", "configparser", "dateutil"}
    assert "diaken_cli.services.ansible.invocation" not in found


def test_a_run_without_snapshots_loads_nothing_of_vcenter(tmp_path: Path) -> None:
    places = {
        "DIAKEN_DATABASE": str(tmp_path / "diaken.db"),
        "DIAKEN_HOSTS_FILE_ENABLED": "false",
    }
    in_prod = ("--environment", "PROD")
    loaded("environments", "add", "PROD", **places)
    loaded("hosts", "add", "web01", "--ip", "127.0.0.1", "--port", "1", *in_prod, **places)

    found = loaded("run", "host", "web01", "update", "--json", **places)

    assert "ansible_runner.runner" in found  # it was on its way to the host, which refuses
    assert "pyVmomi" not in found
