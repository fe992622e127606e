"""The example of a config file: every key is in it, at its default, and it can be filled in."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.actions.configuring import example, filled
from diaken_cli.config import Config, load, sources
from diaken_cli.config.sections import SECTIONS, kinds
from diaken_cli.config.sources import read_document, variable_name
from tests.unit.config.test_config import read


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SYSTEM_FILE", tmp_path / "etc/diaken/config.toml")


def uncommented() -> str:
    return re.sub(r"^#(?=[a-z_]+ = |\[)", "", example(), flags=re.MULTILINE)


def test_the_example_as_it_is_changes_nothing(tmp_path: Path) -> None:
    config = read(tmp_path, example())
    assert not config.sources
    assert not config.deploy.environments


def test_the_example_has_every_key_in_its_section_and_loads(tmp_path: Path) -> None:
    config = read(tmp_path, uncommented())
    document = read_document(tmp_path / "config.toml")
    for section in SECTIONS:
        keys = [key for key in document[section] if key != "environments"]
        assert keys == list(kinds(section))
    assert config.deploy.for_environment("PROD")["network"] == "prod-servers"


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    default = dict(shown(load(None, {"HOME": "/x"})))
    for key, value in shown(read(tmp_path, uncommented())):
        if default.get(key) not in (None, []) and key != "database.path":
            assert value == default[key]


def shown(config: Config) -> Iterator[tuple[str, Any]]:
    for key, value, _source in config.values():
        yield key, value


def test_what_is_shown_can_be_written_into_a_file(tmp_path: Path) -> None:
    import tomli_w

    before = read(tmp_path, uncommented())
    document: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for key, value in shown(before):
        section, _, name = key.partition(".")
        if value is not None and not name.startswith("environments."):
            document[section][name] = value
    after = read(tmp_path, tomli_w.dumps(document))
    assert after.ssh == before.ssh
    assert after.ansible == before.ansible
    assert after.deploy.defaults == before.deploy.defaults


def test_values_are_filled_in_where_they_belong(tmp_path: Path) -> None:
    values: Mapping[tuple[str, str], Any] = {
        ("database", "path"): '/data/a "quoted" \\ name.db',
        ("playbooks", "paths"): ["/a", "/b"],
        ("ssh", "user"): "ansible",
    }
    config = read(tmp_path, filled(example(), values))
    assert config.database.path == Path('/data/a "quoted" \\ name.db')
    assert config.playbooks.paths == (Path("/a"), Path("/b"))
    assert config.ssh.user == "ansible"
    assert set(config.sources) == {"database.path", "playbooks.paths", "ssh.user"}


def test_the_names_of_variables() -> None:
    names = {variable_name(section, key) for section in SECTIONS for key in kinds(section)}
    assert {"DIAKEN_HOSTS_FILE_PATH", "DIAKEN_SSH_EXTRA_ARGS"} <= names
    assert len(names) == sum(len(kinds(section)) for section in SECTIONS)


def test_reading_the_config_needs_nothing_heavy() -> None:
    program = (
        "import sys; from diaken_cli.config import load; load(None, {'HOME': '/x'});"
        "print(sorted({'typer', 'rich', 'sqlmodel', 'pyVmomi', 'dateutil'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "[]\n"
