"""What others may have put in a file's place is told, and not waited for; what is too much, too."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pytest

from diaken_cli import bounds, files, liveness, tick
from diaken_cli.actions import validate, vcenters
from diaken_cli.actions.doctor import local_files
from diaken_cli.actions.doctor.services import check_key
from diaken_cli.actions.importing.csv_file import read_csv
from diaken_cli.actions.notice_file import NoticeFile
from diaken_cli.config import load
from diaken_cli.errors import AccessError, DiakenError, InvalidInput, NotFound
from diaken_cli.paths import existing_file, vault_id
from diaken_cli.services import cron
from diaken_cli.services.ansible import bounded_yaml, catalog, ssh, syntax
from diaken_cli.services.ansible.extra_variables import extra_variables
from diaken_cli.services.ansible.imported_inventory import copy_inventory
from diaken_cli.services.ansible.repository import repository
from diaken_cli.services.hosts_file import file as hosts_file
from diaken_cli.services.snapshot_log import SnapshotLog
from diaken_cli.store import Store
from diaken_cli.store.records import VCenterRecord
from diaken_cli.types import SecretKind

SECONDS = 20
LAUGHS = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Who waits fails, and does not keep the others."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"it was waited for: not over after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that nobody writes to, by the name of a playbook."""
    path = tmp_path / "pipe.yml"
    os.mkfifo(path, 0o600)
    return path


def vcenter(ca_file: Path) -> VCenterRecord:
    """One that is verified by this file."""
    return VCenterRecord(
        id=1,
        name="main",
        server="127.0.0.1:1",
        username="u",
        secret_kind=SecretKind.ENV,
        secret_ref="PASSWORD",
        ca_file=str(ca_file),
        insecure=False,
        datacenter=None,
        hosts=0,
    )


@pytest.mark.parametrize(
    "read",
    [
        lambda path: load(path, {"HOME": "/nonexistent"}),
        lambda path: extra_variables([f"@{path}"], path.parent),
        read_csv,
        lambda path: copy_inventory(path, path.parent),
        hosts_file.read,
        cron.installed,
        lambda path: catalog.find("pipe", [path.parent]),
        lambda path: vcenters.session(vcenter(path)),
        Store,
        lambda path: ssh.forget_host_keys(path, "web01"),
    ],
    ids=[
        "config",
        "-e",
        "--csv",
        "--inventory",
        "hosts",
        "cron",
        "playbook",
        "--ca-file",
        "database",
        "keys",
    ],
)
def test_a_pipe_is_named_and_why_it_is_refused(pipe: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises((DiakenError, ValueError, OSError)) as refused:
        read(pipe)
    assert str(pipe) in f"{refused.value}{getattr(refused.value, 'mistakes', '')}"
    assert "it is a pipe, not a regular file" in str(refused.value)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: extra_variables([f"@{path}"], Path("/")),
        lambda path: read_csv(Path(path)),
        validate.existing_path,
        existing_file,
        lambda path: vault_id(f"prod@{path}"),
    ],
    ids=["-e", "table", "--inventory", "--csv", "--vault-id"],
)
def test_of_what_a_shell_gives_for_a_command_it_is_told_what_to_do_instead(
    read: Callable[[str], object],
) -> None:
    """`-e @<(vault …)`: /dev/fd/63, a pipe."""
    reading, writing_end = os.pipe()
    try:
        with pytest.raises((ValueError, InvalidInput), match="is a pipe, not a") as refused:
            read(f"/dev/fd/{reading}")
        assert "write its output to a file that only you can read" in str(refused.value)
    finally:
        os.close(reading)
        os.close(writing_end)


def test_a_tick_leaves_a_pipe_in_the_place_of_the_config_file_to_the_app(pipe: Path) -> None:
    with pytest.raises(tick.HandOver):
        tick.database_path(str(pipe), {"HOME": "/nonexistent"})


def test_a_pipe_among_the_playbooks_is_none(pipe: Path) -> None:
    (pipe.parent / "site.yml").write_text("- hosts: all\n")
    assert "site" in {playbook.name for playbook in catalog.list_playbooks([pipe.parent])}
    assert "pipe" not in {playbook.name for playbook in catalog.list_playbooks([pipe.parent])}
    assert not syntax.may_end_in_the_middle(pipe)
    assert local_files.parse_fault(pipe) == "can't be read: it is a pipe, not a regular file"


def test_a_pipe_is_no_key(pipe: Path) -> None:
    assert not ssh.needs_passphrase(pipe)
    assert not ssh.is_private_key(pipe)
    found = check_key(pipe, has_agent=False)
    assert found.text == "can't be read: it is a pipe, not a regular file"


def test_pipes_within_an_inventory_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "inventory"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "hosts").write_text("web01\n")
    for name in ("more", "group_vars/web.yml"):
        os.mkfifo(folder / name)
    (tmp_path / "staged").mkdir()
    staged = copy_inventory(folder, tmp_path / "staged")
    assert [path.name for path in staged.files] == ["hosts"]
    assert staged.left_out == [
        f"{folder / name} is left out: it is a pipe, not a regular file"
        for name in ("more", "group_vars/web.yml")
    ]


def test_pipes_in_the_place_of_own_notes_are_as_good_as_none(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    os.mkfifo(tmp_path / f"run{liveness.CANCELED}", 0o600)
    liveness.note_canceled(lock, "somebody")
    assert liveness.canceled_by(lock) is None
    os.mkfifo(tmp_path / "told.json", 0o600)
    os.mkfifo(tmp_path / "told.json.part", 0o600)
    notice_file = NoticeFile.beside(tmp_path / "diaken.db", "this")
    now = datetime.now(UTC)
    assert notice_file.should_notify("it is broken", now)
    assert notice_file.resolved(now) == []


# ── what is written ──────────────────────────────────────────────────────────────────────────


def test_nobody_waits_for_a_reader(pipe: Path) -> None:
    with pytest.raises(OSError, match="it is a pipe without a reader"):
        files.write_whole(pipe, "report", replace=True, follow_links=True)
    with pytest.raises(AccessError, match="it is a pipe without a reader"):
        SnapshotLog(pipe)


def test_a_reader_may_pause_for_a_while_only(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_whole(pipe, "report", replace=True, follow_links=True)
        assert os.read(reader, 100) == b"report"
        monkeypatch.setattr(bounds, "READER_SECONDS", 0.2)
        with pytest.raises(OSError, match="nobody has read from it for"):
            files.write_whole(pipe, "x" * 2**20, replace=True, follow_links=True)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


# ── what they hold ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "more than 40000 values, counting those that aliases repeat"),
        ("a: &a [*a]\n", "a value that contains itself"),
        ("- " * 100_000, "more than 100 levels"),
        ("".join(f"{' ' * n}a:\n" for n in range(3000)), "more than 100 levels"),
        ("a: " + ":".join(["1"] * 100_000), "a number that is too long"),
        ("[" + "1," * 50_000 + "]", "more than 40000 values"),
        (f"a: &a {'x' * 64_000}\nb: [{','.join(['*a'] * 1000)}]", "more than 40000 values"),
    ],
    ids=["laughs", "itself", "dashes", "levels", "number", "values", "characters"],
)
def test_yaml_that_blows_up_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.setattr(bounds, "YAML_VALUES", 40_000)
    monkeypatch.setattr(bounds, "INVENTORY_VALUES", 40_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for look in (bounded_yaml.compose, bounded_yaml.check):
        with pytest.raises(bounded_yaml.LimitExceeded) as refused:
            look(text)
        assert why in str(refused.value)
    path = tmp_path / "site.yml"
    path.write_text(text)
    assert why in (local_files.parse_fault(path) or "")
    with pytest.raises(ValueError, match=f"{path} can't be read: it has"):
        extra_variables([f"@{path}"], tmp_path)
    (tmp_path / "staged").mkdir()
    with pytest.raises(ValueError, match=f"can't be read: {path}: it has"):
        copy_inventory(path, tmp_path / "staged")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB


def test_an_inventory_of_as_many_hosts_as_are_imported_is_no_such_yaml(tmp_path: Path) -> None:
    """Ten variables for each of them."""
    path = tmp_path / "hosts.json"
    variables = ",".join(f'"v{n}":{n}' for n in range(10))
    hosts = ",".join(f'"web{n}":{{{variables}}}' for n in range(bounds.IMPORTED_HOSTS))
    path.write_text(f'{{"all":{{"hosts":{{{hosts}}}}}}}')
    (tmp_path / "staged").mkdir()
    assert copy_inventory(path, tmp_path / "staged").files


def test_aliases_as_people_write_them_are_read() -> None:
    shared = "base: &base {user: ops, tags: [a, b]}\n"
    text = shared + "".join(f"web{n:04}: {{<<: *base, port: {n}}}\n" for n in range(3000))
    bounded_yaml.check(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,ip\n" + b"a,1.2.3.4\n" * 20_001, "has more than 20000 hosts: import them in parts"),
        (b"name,ip" + b",x" * 2_000_000, "line 1 is longer than 1M"),
        (b"name,ip" + b",x" * 2000, "line 1 has more than 1000 columns"),
        (b"name,ip\n" + b"a" * 200_000, "line 2 is not valid CSV: field larger than"),
        (bytes(bounds.CSV_FILE + 1), "can't be read: it is larger than 16M"),
    ],
    ids=["rows", "line", "columns", "field", "file"],
)
def test_a_table_that_is_too_large(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "hosts.csv"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidInput, match=said):
        read_csv(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB


def test_an_ansible_cfg_on_which_its_parser_would_work_for_hours(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\na" + " " * 900_000 + "b\n")
    began = time.process_time()
    with pytest.raises(DiakenError, match="line 2 has too many blanks in a row"):
        repository(tmp_path)
    assert time.process_time() - began < 5


def test_a_socket_and_a_device_are_told_as_well(tmp_path: Path) -> None:
    for kind, special in (("a device", "/dev/zero"), ("a device", "/dev/tty")):
        if Path(special).exists():
            (tmp_path / "x.yml").unlink(missing_ok=True)
            (tmp_path / "x.yml").symlink_to(special)
            with pytest.raises(NotFound, match=f"it is {kind}, not a regular file"):
                catalog.find("x", [tmp_path])
