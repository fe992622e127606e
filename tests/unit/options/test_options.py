"""What is declared once is read alike as text and as TOML, and all mistakes are told at once."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from diaken_cli import kinds
from diaken_cli.config import sections
from diaken_cli.inventory_options import HostChanges
from diaken_cli.options import TypedOptions, option, options_of, parse
from diaken_cli.paths import PathBase
from diaken_cli.requests import DEPLOY_OPTIONS, DeployRequest


@dataclass(frozen=True)
class Thing:
    ip: str = option("--ip", kinds.INTERFACE)
    dns: tuple[str, ...] = option("--dns", kinds.ADDRESSES, default=())
    cpus: int | None = option("--cpus", kinds.COUNT, default=None)
    check: bool = option("--check/--no-check", kinds.FLAG, default=True)
    more: dict[str, str] = option("--more", kinds.EXTRA_CONFIG, default={})
    prefix: int = 24


THING = options_of(Thing)
VALUES = {
    "ip": IPv4Interface("10.0.4.21/24"),
    "dns": ("10.0.0.53", "10.0.0.54"),
    "cpus": 4,
    "check": False,
    "more": {"disk.enableUUID": "TRUE"},
}


def test_a_text_and_a_value_of_toml_come_to_the_same() -> None:
    typed = TypedOptions(
        ip="10.0.4.21/24",
        dns=("10.0.0.53", "10.0.0.54"),
        cpus="4",
        check=False,
        more=("disk.enableUUID=TRUE",),
    )
    assert parse(typed, THING) == (VALUES, [])
    cells = TypedOptions(dns="10.0.0.53, 10.0.0.54", check="no", more="disk.enableUUID=TRUE")
    assert parse(typed | cells, THING) == (VALUES, [])
    table = {
        "ip": "10.0.4.21/24",
        "dns": ["10.0.0.53", "10.0.0.54"],
        "cpus": 4,
        "check": False,
        "more": ["disk.enableUUID=TRUE"],
    }
    read = {name: THING[name].kind.read(value, PathBase()) for name, value in table.items()}
    assert read == VALUES


def test_all_mistakes_are_told_at_once_and_the_rest_has_its_value() -> None:
    values, mistakes = parse(
        {"ip": "10.0.4.21", "dns": ("10.0.0.53", "x", "y"), "cpus": "many"}, THING
    )
    assert values == {"dns": ("10.0.0.53",)}
    assert [(mistake.option, mistake.value) for mistake in mistakes] == [
        ("--ip", "10.0.4.21"),
        ("--dns", "x"),
        ("--dns", "y"),
        ("--cpus", "many"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "dns",
            "10.0.0.53",
            "'10.0.0.53' is not a list of IPv4 addresses, such as [\"10.0.0.53\"]",
        ),
        ("cpus", "4", "'4' is not a whole number, 1 or more"),
        ("ip", 1, '1 is not an address with a prefix, such as "10.0.4.21/24"'),
    ],
)
def test_a_value_of_another_type_is_a_mistake(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        THING[name].kind.read(value, PathBase())


def test_an_empty_text_is_a_mistake_but_where_it_empties() -> None:
    declared = options_of(HostChanges)
    values, mistakes = parse({"user": "", "key": ""}, declared, may_be_empty=("user",))
    assert values == {"user": None}
    assert [mistake.option for mistake in mistakes] == ["--key"]


def test_paths_start_from_the_place_that_they_are_written_in(tmp_path: Path) -> None:
    key = tmp_path / "keys/id_ed25519"
    key.parent.mkdir()
    key.touch()
    base = PathBase(home=tmp_path / "home", folder=tmp_path)
    assert DEPLOY_OPTIONS["key"].kind.read("keys/id_ed25519", base) == str(key)


@pytest.mark.parametrize("text", ["-oProxyCommand=x", "a b", "root;id", "", "\udcff"])
def test_no_account_is_an_option_of_ssh(text: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an account"):
        kinds.check_account(text)


@pytest.mark.parametrize("text", ["{{evil}}", "/usr/bin/{{x}}", "python3", "/usr/bin/python 3"])
def test_no_interpreter_is_a_template(text: str) -> None:
    with pytest.raises(ValueError, match="is not an absolute path on the host, or auto"):
        kinds.check_interpreter(text)


def test_every_field_of_a_request_declares_its_option_but_the_prefix_that_ip_has() -> None:
    names = {name for name in DeployRequest.__dataclass_fields__ if name not in DEPLOY_OPTIONS}
    assert names == {"prefix"}
    assert {"vcenter", "memory", "ssh_timeout"} < set(sections.kinds("deploy"))
    assert not {"ip", "name", "user", "key", "playbooks"} & set(sections.kinds("deploy"))
