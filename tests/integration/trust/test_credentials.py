"""Passwords from real commands, files and variables, and what is refused without showing them."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from diaken_cli import bounds
from diaken_cli.errors import SecretError
from diaken_cli.services.credentials import resolve
from diaken_cli.types import SecretKind
from tests.processes import wait_until_gone

PASSWORD = "s3cret pässword"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def closed_file(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


def test_a_secret_does_not_show_itself() -> None:
    secret = resolve(SecretKind.ENV, "VCENTER_PASSWORD", {"VCENTER_PASSWORD": PASSWORD})
    assert secret.reveal() == PASSWORD
    for shown in (repr(secret), str(secret), f"{secret}", "%s" % secret, repr([secret])):  # noqa: UP031
        assert PASSWORD not in shown
    assert not hasattr(secret, "__dict__")


# ── a command ────────────────────────────────────────────────────────────────────────────────


def test_a_command_is_an_argv_without_a_shell() -> None:
    assert resolve(
        SecretKind.COMMAND, "printf '%s\\n' 's3cret; $HOME *'", ENVIRONMENT
    ).reveal() == ("s3cret; $HOME *")


def test_only_the_last_newline_is_taken_off() -> None:
    assert resolve(SecretKind.COMMAND, "printf ' a \\n\\n'", ENVIRONMENT).reveal() == " a \n"
    assert resolve(SecretKind.COMMAND, "printf 'a\\r\\n'", ENVIRONMENT).reveal() == "a"


def test_a_command_gets_the_environment_but_no_input_and_no_terminal() -> None:
    program = (
        "import os, sys;"
        "assert sys.stdin.read() == '';"
        "assert os.getsid(0) == os.getpid();"
        "print(os.environ['TOKEN'])"
    )
    secret = resolve(
        SecretKind.COMMAND, f'{sys.executable} -c "{program}"', ENVIRONMENT | {"TOKEN": "abc"}
    )
    assert secret.reveal() == "abc"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", "the password command true returned no password: it is empty"),
        ("no-such-program --for me", "no-such-program can't be started: No such file"),
        ("/", "the password command / can't be started: Permission denied"),
        ("'unbalanced", "can't be split into words: No closing quotation"),
        ("  ", "the password command is empty"),
        ("sh -c 'echo s3cret; echo the vault is sealed >&2; exit 4'", "status 4: the vault is sea"),
        ("sh -c 'echo s3cret; exit 1'", "the password command sh failed with exit status 1"),
        ("sh -c 'kill -9 $$'", "the password command sh failed with exit status -9"),
        ("printf 'a\\000b'", "the password command printf returned a NUL byte"),
        (
            "printf '\\377s3cret'",
            "the password command printf returned a password that is not UTF-8",
        ),
        ("yes", "the password command yes returned more than 4096 bytes: that is not a password"),
        ("sh -c 'yes >&2 & yes; exit 3'", "sh returned more than 4096 bytes"),
        ("sh -c 'seq 99999 >&2; echo last words >&2; exit 3'", "exit status 3: last words"),
        ("head -c 5000 /dev/zero", "the password command head returned more than 4096 bytes"),
    ],
)
def test_what_a_command_may_do_wrong(command: str, said: str) -> None:
    with pytest.raises(SecretError) as caught:
        resolve(SecretKind.COMMAND, command, ENVIRONMENT)
    assert said in caught.value.message
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.exit_status == 10


def test_a_command_that_hangs_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "PASSWORD_SECONDS", 1)
    noted = tmp_path / "pid"
    command = f"sh -c 'sleep 60 & echo $! > {noted}; wait'"
    began = time.monotonic()
    with pytest.raises(SecretError, match="sh did not finish within 1 s") as caught:
        resolve(SecretKind.COMMAND, command, ENVIRONMENT)
    assert time.monotonic() - began < 30, "it does not wait for the sleep"
    assert "no terminal" in (caught.value.hint or "")
    wait_until_gone(int(noted.read_text()))


def test_a_command_that_complains_without_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PASSWORD_SECONDS", 1)
    with pytest.raises(SecretError, match="sh did not finish within 1 s"):
        resolve(SecretKind.COMMAND, "sh -c 'yes >&2'", ENVIRONMENT)


# ── a file ───────────────────────────────────────────────────────────────────────────────────


def test_a_closed_file(tmp_path: Path) -> None:
    file = closed_file(tmp_path / "password", f"{PASSWORD}\n".encode())
    assert resolve(SecretKind.FILE, str(file), {}).reveal() == PASSWORD
    file.chmod(0o400)
    assert resolve(SecretKind.FILE, str(file), {}).reveal() == PASSWORD


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    file = closed_file(tmp_path / "password", b"abc")
    link = tmp_path / "link"
    link.symlink_to(file)
    assert resolve(SecretKind.FILE, str(link), {}).reveal() == "abc"
    file.chmod(0o644)
    with pytest.raises(SecretError, match="is accessible to other accounts"):
        resolve(SecretKind.FILE, str(link), {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o601, 0o660, 0o644, 0o777])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = closed_file(tmp_path / "password", b"s3cret")
    file.chmod(mode)
    with pytest.raises(SecretError, match=f"mode 0{mode:o}") as caught:
        resolve(SecretKind.FILE, str(file), {})
    assert caught.value.hint == f"Fix it: chmod 600 {file}"
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "returned no password"),
        (b"\n", "returned no password"),
        (b"x" * 4097, "returned more than 4096"),
        (b"x" * 4097 + b"\r\n", "returned more than 4096"),
        (b"x" * 100_000, "returned more than 4096"),
    ],
)
def test_content_that_is_no_password(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(SecretError, match=said):
        resolve(SecretKind.FILE, str(closed_file(tmp_path / "password", content)), {})


def test_the_longest_password_is_read_whole(tmp_path: Path) -> None:
    file = closed_file(tmp_path / "password", b"x" * 4096 + b"\r\n")
    assert resolve(SecretKind.FILE, str(file), {}).reveal() == "x" * 4096


def test_what_is_not_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    for path, said in {
        str(pipe): "it is a pipe, not a regular file",
        str(tmp_path): "it is a folder, not a regular file",
        str(tmp_path / "none"): "No such file",
        "~no-such-account-here/password": "can't be read",
        "a\0b": "can't be read",
    }.items():
        with pytest.raises(SecretError, match=said):
            resolve(SecretKind.FILE, path, {})


# ── a variable ───────────────────────────────────────────────────────────────────────────────


def test_a_variable_that_is_missing_or_empty() -> None:
    with pytest.raises(SecretError, match="VCENTER_PASSWORD is not set"):
        resolve(SecretKind.ENV, "VCENTER_PASSWORD", {})
    with pytest.raises(SecretError, match="VCENTER_PASSWORD returned no password: it is empty"):
        resolve(SecretKind.ENV, "VCENTER_PASSWORD", {"VCENTER_PASSWORD": ""})
