"""The lines for cron: complete, escaped, put in their place whole, and taken away again."""

from pathlib import Path

import pytest

from diaken_cli.errors import ConfigurationError, Conflict
from diaken_cli.services import cron


def test_the_file_names_program_user_and_environment() -> None:
    content = cron.lines(
        Path("/opt/diaken/bin/diaken"), {"DIAKEN_CONFIG": "/etc/diaken/config.toml"}, user="root"
    )
    assert "* * * * * root /opt/diaken/bin/diaken scheduler tick\n" in content
    assert "17 * * * * root /opt/diaken/bin/diaken snapshots prune >/dev/null\n" in content
    assert 'DIAKEN_CONFIG="/etc/diaken/config.toml"\n' in content
    assert 'PATH="/opt/diaken/bin:/usr/local/sbin' in content
    assert content.endswith("\n")  # cron ignores a last line without one


def test_the_lines_of_an_account_have_no_user() -> None:
    assert "* * * * * /opt/diaken scheduler tick\n" in cron.lines(
        Path("/opt/diaken"), {}, user=None
    )


def test_percent_and_blanks_in_paths_are_escaped() -> None:
    content = cron.lines(Path("/opt/100% mine/diaken"), {}, user=None)
    assert "* * * * * '/opt/100\\% mine/diaken' scheduler tick" in content


@pytest.mark.parametrize("value", ["two\nlines", "both \" and '", "not utf-8: \udce9"])
def test_what_a_crontab_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError):
        cron.lines(Path("/opt/diaken"), {"DIAKEN_CONFIG": value}, user=None)


def test_installing_again_changes_nothing_and_removing_takes_it_away(tmp_path: Path) -> None:
    path = tmp_path / "diaken"
    content = cron.lines(Path("/opt/diaken"), {}, user="root")
    assert cron.install(content, path)
    assert not cron.install(content, path)
    assert path.read_text() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert cron.install(content.replace("/opt/diaken", "/usr/bin/diaken"), path)
    assert cron.remove(path)
    assert not cron.remove(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_its_place_is_replaced_and_nothing_is_written_where_it_leads(
    tmp_path: Path, there: bool
) -> None:
    path, elsewhere = tmp_path / "diaken", tmp_path / "elsewhere" / "file"
    elsewhere.parent.mkdir()
    if there:
        elsewhere.write_text(f"{cron.MARK}\n")
    path.symlink_to(elsewhere)
    content = cron.lines(Path("/opt/diaken"), {}, user="root")
    assert cron.install(content, path)
    assert (path.is_symlink(), path.read_text()) == (False, content)
    if there:
        assert elsewhere.read_text() == f"{cron.MARK}\n"
    else:
        assert not elsewhere.exists()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "diaken"
    theirs = b"* * * * * root something else # caf\xe9\n"
    path.write_bytes(theirs)
    with pytest.raises(Conflict):
        cron.install(cron.lines(Path("/opt/diaken"), {}, user="root"), path)
    with pytest.raises(Conflict):
        cron.remove(path)
    assert path.read_bytes() == theirs
