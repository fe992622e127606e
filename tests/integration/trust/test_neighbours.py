"""What lies beside a database, or above it, and is not this account's alone."""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diaken_cli import liveness, tick
from diaken_cli.actions.doctor import database as doctor
from diaken_cli.actions.notice_file import FILE_NAME, NoticeFile
from diaken_cli.config import load
from diaken_cli.errors import AccessError, ConfigurationError, DatabaseError
from diaken_cli.services.ansible import tracking
from diaken_cli.services.ansible.ssh import forget_host_keys
from diaken_cli.store import Store

NOBODY = 65534
PRECIOUS = "precious\n"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of this account's that somebody else would have it write over, or touch."""
    victim = tmp_path / "victim"
    victim.write_text(PRECIOUS)
    os.utime(victim, (1, 1))
    return victim


def is_untouched(victim: Path) -> bool:
    return victim.read_text() == PRECIOUS and victim.stat().st_mtime == 1


# ── files that diaken opens there ────────────────────────────────────────────────────────────


def _tick(place: Path, put: Callable[[Path], None]) -> None:
    store = Store(place / "diaken.db")
    put(store.beside("tick"))
    os.environ["DIAKEN_DATABASE"] = str(store.path)
    os.environ["DIAKEN_CONFIG"] = ""
    assert tick.main(["scheduler", "tick"]) is None, "the app tells it"


def _lock(place: Path, put: Callable[[Path], None]) -> None:
    put(place / "lock")
    for open_it in (liveness.hold, liveness.seize, liveness.is_alive):
        with pytest.raises(OSError, match="it is"):
            open_it(place / "lock")


def _note(place: Path, put: Callable[[Path], None]) -> None:
    put(place / f"lock{liveness.CANCELED}")
    liveness.note_canceled(place / "lock", "anna")
    assert liveness.canceled_by(place / "lock") is None


def _told(place: Path, put: Callable[[Path], None]) -> None:
    put(place / FILE_NAME)
    put(place / f"{FILE_NAME}.part")
    notice_file = NoticeFile.beside(place / "diaken.db", "x")
    assert notice_file.should_notify("wrong", datetime.now(UTC))


def _known_hosts(place: Path, put: Callable[[Path], None]) -> None:
    (place / "known_hosts").touch()
    put(place / "known_hosts.lock")
    with pytest.raises(AccessError, match="it is"):
        forget_host_keys(place / "known_hosts", "web01")


def _ssh_calls(place: Path, put: Callable[[Path], None]) -> None:
    folder = tracking.folder_of(place / "lock")
    folder.mkdir()
    put(folder / "call")
    put(folder / "become_password_command")
    assert tracking.recorded_calls(place / "lock") == ()
    assert tracking.become_password_command(place / "lock") == ()


def _backup(place: Path, put: Callable[[Path], None]) -> None:
    store = Store(place / "diaken.db")
    for name in ("copy.db-journal", "copy.db-wal"):
        put(place / name)
        with pytest.raises(DatabaseError, match=f"{name} would be taken"):
            store.database.copy(place / "copy.db")
        (place / name).unlink()
    put(place / "copy.db")
    with pytest.raises(FileExistsError):
        store.database.copy(place / "copy.db")


@pytest.fixture
def environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ |= before


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "use",
    [_tick, _lock, _note, _told, _known_hosts, _ssh_calls, _backup],
    ids=lambda it: it.__name__,
)
@pytest.mark.parametrize("kind", ["link", "pipe", "of another"])
def test_what_is_not_ours_is_neither_followed_nor_waited_for(
    tmp_path: Path, victim: Path, use: Callable[[Path, Callable[[Path], None]], None], kind: str
) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o700)

    def put(path: Path) -> None:
        if kind == "link":
            path.symlink_to(victim)
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.write_text("1\n")
            os.chown(path, NOBODY, NOBODY)

    use(place, put)
    assert is_untouched(victim)


# ── the database, its folder and those above ─────────────────────────────────────────────────


def refused(path: Path) -> AccessError:
    with pytest.raises(AccessError) as caught:
        Store(path)
    assert caught.value.exit_status == 10
    return caught.value


def _of_a_group(folder: Path) -> None:
    os.chown(folder, -1, NOBODY)
    folder.chmod(0o770)


@pytest.mark.parametrize(
    ("exposed", "said"),
    [
        (lambda each: each.chmod(0o777), "is world-writable"),
        (lambda each: os.chown(each, NOBODY, -1), "belongs to the account nobody"),
        (_of_a_group, "is writable by the group nogroup"),
    ],
    ids=["open", "of another", "of a group"],
)
@pytest.mark.parametrize("what", ["folder", "folder above", "runs"])
def test_a_place_that_others_can_change_is_refused(
    tmp_path: Path, what: str, exposed: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "above" / "folder" / "diaken.db"
    Store(path).beside("runs").mkdir(mode=0o700)
    place = {
        "folder": path.parent,
        "folder above": path.parent.parent,
        "runs": path.with_name("diaken.db.runs"),
    }[what]
    before = place.stat()
    exposed(place)
    error = refused(path)
    assert said in error.message
    assert str(place) in error.message
    fix = (error.hint or "").removeprefix("Fix it: ").partition(";")[0]
    finding = next(iter(doctor.check_database(path)))
    assert finding.text.endswith(error.message.partition(": ")[2])
    assert os.waitstatus_to_exitcode(os.system(fix)) == 0  # noqa: S605  the very words of the hint
    Store(path)
    assert before.st_uid == place.stat().st_uid


def test_a_database_is_not_made_where_others_could_put_files_beside_it() -> None:
    with tempfile.TemporaryDirectory(prefix="diaken-test-") as folder:
        Path(folder).chmod(0o1777)  # as /tmp
        error = refused(Path(folder) / "diaken.db")
        assert "is world-writable" in error.message
        assert error.hint is not None
        assert error.hint.startswith(f"Use a folder of its own, such as {folder}/diaken/")
        assert list(Path(folder).iterdir()) == []
        (found,) = doctor.check_database(Path(folder) / "diaken.db")
        assert (found.status, found.hint) == ("problem", error.hint)
        Store(Path(folder) / "of-its-own" / "diaken.db")


def test_a_database_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "diaken.db"
    Store(path)
    path.chmod(0o666)
    assert refused(path).hint == (
        f"Fix it: chmod go-w {path}; or use a folder that only this account can write: set"
        " DIAKEN_DATABASE or `[database] path`."
    )


def test_of_a_database_that_is_a_link_both_folders_count(tmp_path: Path) -> None:
    link, path = tmp_path / "links" / "diaken.db", tmp_path / "real" / "diaken.db"
    Store(path)
    link.parent.mkdir(mode=0o700)
    link.symlink_to(path)
    Store(link)
    link.parent.chmod(0o777)
    assert str(link.parent) in refused(link).message
    link.parent.chmod(0o700)
    path.parent.chmod(0o777)
    assert str(path.parent) in refused(link).message


def test_a_database_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "diaken.db")
    with pytest.raises(DatabaseError, match="it is a pipe"):
        Store(tmp_path / "diaken.db")


@pytest.mark.usefixtures("environment")
def test_the_quick_tick_leaves_an_open_folder_to_the_app(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "diaken.db"
    Store(path)
    os.environ["DIAKEN_DATABASE"] = str(path)
    os.environ["DIAKEN_CONFIG"] = ""
    os.environ["HOME"] = os.environ["XDG_DATA_HOME"] = os.environ["XDG_CONFIG_HOME"] = str(tmp_path)
    assert tick.main(["scheduler", "tick"]) == 0
    path.parent.chmod(0o777)
    assert tick.main(["scheduler", "tick"]) is None
    path.parent.chmod(0o700)
    config = tmp_path / "config.toml"
    config.write_text("[ssh]\nport = 22\n")
    os.utime(config, (1, 1))
    os.environ["DIAKEN_CONFIG"] = str(config)
    os.utime(path.with_name("diaken.db.tick"), (2**31, 2**31))
    assert tick.main(["scheduler", "tick"]) == 0
    os.utime(path.with_name("diaken.db.tick"), (2**31, 2**31))
    config.chmod(0o666)
    assert tick.main(["scheduler", "tick"]) is None


# ── the config file ──────────────────────────────────────────────────────────────────────────


def test_a_config_file_that_others_can_change_is_refused(tmp_path: Path) -> None:
    """Root would run the commands that it names."""
    file = tmp_path / "folder" / "config.toml"
    file.parent.mkdir(mode=0o755)
    file.write_text("[ssh]\nport = 23\n")

    def way_out() -> str:
        with pytest.raises(ConfigurationError) as caught:
            load(file, {"HOME": str(tmp_path)})
        assert (caught.value.code, caught.value.exit_status) == ("permission", 10)
        return caught.value.hint or ""

    assert load(file, {"HOME": str(tmp_path)}).ssh.port == 23
    file.chmod(0o646)
    assert way_out() == f"Fix it: chmod o-w {file}; or use another file with --config."
    file.chmod(0o644)
    os.chown(file, NOBODY, -1)
    assert way_out().startswith("Run diaken as that account: sudo -u nobody diaken …")
    os.chown(file, 0, -1)
    file.parent.chmod(0o777)
    assert f"chmod go-w {file.parent}" in way_out()
    file.parent.chmod(0o1777)  # as in /tmp: nobody else can touch the file there
    assert load(file, {"HOME": str(tmp_path)}).ssh.port == 23
