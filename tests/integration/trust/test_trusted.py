"""Playbooks and vaults that others can change: what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from diaken_cli.actions.playbook import refuse_exposed
from diaken_cli.errors import AccessError, ConfigurationError, SecretError
from diaken_cli.requests import RunOptions
from diaken_cli.services.credentials import resolve
from diaken_cli.services.vsphere.session import Endpoint
from diaken_cli.services.vsphere.tls import tls_context
from diaken_cli.types import SecretKind
from tests.e2e.cli import Cli
from tests.integration.trust.repository import NOBODY, configured, folder, group

__all__ = ["folder"]

# ── what is refused ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "mode"),
    [
        ("playbooks/site.yml", 0o666),
        ("playbooks", 0o777),
        ("playbooks", 0o1777),  # others could put group_vars there
        (".", 0o777),
        ("roles/web/tasks/main.yml", 0o666),
        ("roles/web", 0o777),
        ("playbooks/group_vars", 0o777),
    ],
)
def test_a_playbook_that_everybody_can_change_is_refused(
    folder: Path, what: str, mode: int
) -> None:
    config = configured(folder)
    path = (folder.parent / what).resolve()
    refuse_exposed("site", RunOptions(), config)
    path.chmod(mode)
    with pytest.raises(AccessError, match="is not safe to run: ") as caught:
        refuse_exposed("site", RunOptions(), config)
    assert caught.value.exit_status == 10
    assert caught.value.hint == f"Fix it: chmod go-w {path}"


def test_a_playbook_of_another_account_or_of_a_group_may_be_run(folder: Path) -> None:
    """Teams share checkouts; who names one trusts its owner."""
    for each in (folder.parent, folder, folder / "site.yml"):
        group(each)
        os.chown(each, NOBODY, -1)
    refuse_exposed("site", RunOptions(), configured(folder))
    refuse_exposed("update", RunOptions(), configured(folder))


@pytest.mark.parametrize(
    "exposed",
    [lambda each: each.chmod(0o702), lambda each: os.chown(each, NOBODY, -1), group],
    ids=["everybody", "another", "group"],
)
@pytest.mark.parametrize("what", ["vault", ".", ".."], ids=["file", "folder", "folder above"])
@pytest.mark.parametrize("given", ["option", "label", "config"])
def test_what_opens_a_vault_is_this_accounts_alone(
    folder: Path, given: str, what: str, exposed: Callable[[Path], None]
) -> None:
    program = folder.parent.parent / "secrets" / "ours" / "vault"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho x\n")
    program.chmod(0o700)
    options = {
        "option": RunOptions(vault_password_file=str(program)),
        "label": RunOptions(vault_ids=(f"prod@{program}",)),
        "config": RunOptions(),
    }[given]
    more = f'[ansible]\nvault_password_file = "{program}"\n' if given == "config" else ""
    config = configured(folder, more)
    refuse_exposed("site", options, config)
    open_one = (program.parent / what).resolve() if what != "vault" else program
    exposed(open_one)
    with pytest.raises(
        AccessError, match=f"the vault password file {program} is not safe to use"
    ) as told:
        refuse_exposed("site", options, config)
    elsewhere = (
        "" if what == "vault" else "; or keep it in a folder that only this account can write."
    )
    assert str(told.value.hint).startswith("Fix it: ch")
    assert str(told.value.hint).endswith(f" {open_one}{elsewhere}")


def test_no_run_is_recorded_of_a_playbook_that_everybody_can_change(
    folder: Path, tmp_path: Path
) -> None:
    cli = Cli(tmp_path, config=f'[playbooks]\npaths = ["{folder}"]\n')
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    folder.chmod(0o777)
    error = cli.error(10, "run", "host", "web01", "site")
    assert error["code"] == "permission"
    assert error["hint"] == f"Fix it: chmod go-w {folder}"
    assert cli.json("history", "list") == []


@pytest.mark.parametrize("what", ["known hosts", "variables"])
def test_what_says_whom_to_trust_and_what_to_do_is_not_everybodys(
    folder: Path, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "file"
    file.write_text("a: 1\n" if what == "variables" else "")
    file.chmod(0o666)
    more = f'[ssh]\nknown_hosts = "{file}"\n' if what == "known hosts" else ""
    cli = Cli(tmp_path, config=f'[playbooks]\npaths = ["{folder}"]\n{more}')
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    words = ["run", "host", "web01", "site", *(["-e", f"@{file}"] if what == "variables" else [])]
    error = cli.error(10, *words)
    assert error["message"].startswith(
        f"the {what.replace(' ', '_')} file {file} is not safe to use"
    )
    assert error["hint"] == f"Fix it: chmod go-w {file}"
    assert cli.json("history", "list") == []


@pytest.mark.parametrize("what", ["program", "script"])
def test_a_password_command_that_everybody_can_change_is_not_run(tmp_path: Path, what: str) -> None:
    file = tmp_path / what
    file.write_text(f"#!/bin/sh\ntouch {tmp_path}/run\necho secret\n")
    file.chmod(0o755)
    command = str(file) if what == "program" else f"/bin/sh {file}"
    assert resolve(SecretKind.COMMAND, command, os.environ).reveal() == "secret"
    (tmp_path / "run").unlink()
    file.chmod(0o777)
    with pytest.raises(SecretError, match=r"is not safe to run: ") as caught:
        resolve(SecretKind.COMMAND, command, os.environ)
    assert caught.value.hint == f"Fix it: chmod go-w {file}"
    assert not (tmp_path / "run").exists()


def test_who_a_vcenter_is_does_not_come_from_a_file_of_everybodys(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"")
    file.chmod(0o666)
    endpoint = Endpoint("vc.example.com", "root", "secret", ca_file=str(file))
    with pytest.raises(ConfigurationError, match="is not safe to use: "):
        tls_context(endpoint)
