"""What is typed at a retry wins over what the earlier run had; the rest is as it was."""

from typing import Any

import pytest

from diaken_cli.actions.run.request import override_options, parse_options, retry_options
from diaken_cli.actions.validate import Reader
from diaken_cli.options import TypedOptions
from diaken_cli.requests import RunOptions
from diaken_cli.types import to_stored

CHECKED = ("Check mode, as in run 7; --no-check changes the hosts.",)
NO_SNAPSHOTS = ("No snapshots, unlike run 7: --check changes nothing.",)


@pytest.mark.parametrize(
    ("before", "typed", "becomes", "notes"),
    [
        ({"snapshot": True, "forks": 3}, {}, {"snapshot": True, "forks": 3}, ()),
        ({"snapshot": True, "require_snapshot": True}, {"snapshot": False}, {}, ()),
        (
            {"snapshot": True, "require_snapshot": True},
            {"require_snapshot": False},
            {"snapshot": True, "require_snapshot": False},
            (),
        ),
        ({}, {"require_snapshot": True}, {"snapshot": True, "require_snapshot": True}, ()),
        ({"diff": True, "become": True}, {"diff": False, "become": False}, {"become": False}, ()),
        ({"tags": ("a",)}, {"tags": ("b",), "forks": "5"}, {"tags": ["b"], "forks": 5}, ()),
        ({"check": True}, {}, {"check": True}, CHECKED),
        ({"check": True, "diff": True}, {"check": False}, {"diff": True}, ()),
        ({"check": True, "snapshot": True}, {"check": True}, {"check": True, "snapshot": True}, ()),
        ({"snapshot": True}, {"check": True}, {"check": True}, NO_SNAPSHOTS),
        (
            {"snapshot": True},
            {"check": True, "snapshot": True},
            {"check": True, "snapshot": True},
            (),
        ),
        ({}, {"check": True}, {"check": True}, ()),
    ],
)
def test_options_of_a_retry(
    before: dict[str, Any],
    typed: dict[str, Any],
    becomes: dict[str, object],
    notes: tuple[str, ...],
) -> None:
    reader, given = Reader(), TypedOptions(**typed)
    now = parse_options(given, reader)

    options, said = retry_options(7, RunOptions(**before), now, given)

    assert not reader.mistakes
    assert to_stored(options) == {"v": 1, **becomes}
    assert said == notes


TAKEN_BACK: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"tags": ("a", "b")}, {"tags": ("",)}),
    ({"skip_tags": ("a",)}, {"skip_tags": ("",)}),
    ({"limit": "web0*"}, {"limit": ""}),
    ({"exclude": ("web01", "web02")}, {"exclude": ("",)}),
    ({"extra_vars": ("a=b", "@/etc/x.yml")}, {"extra_vars": ("",)}),
    ({"forks": 3}, {"forks": ""}),
    ({"timeout": 90}, {"timeout": ""}),
    ({"become_password_command": ("pass", "x")}, {"become_password_command": ""}),
    ({"vault_password_file": "/etc/vault"}, {"vault_password_file": ""}),
    ({"vault_ids": ("dev@/etc/vault",)}, {"vault_ids": ("",)}),
    ({"check": True}, {"check": False}),
    ({"diff": True}, {"diff": False}),
    ({"snapshot": True, "require_snapshot": True}, {"snapshot": False}),
]


@pytest.mark.parametrize(("before", "typed"), TAKEN_BACK)
def test_each_option_can_be_taken_back(before: dict[str, Any], typed: dict[str, Any]) -> None:
    reader, given = Reader(), TypedOptions(**typed)
    kept = RunOptions(**({"forks": 2} | before))

    now = parse_options(given, reader, takes_back=True)

    assert not reader.mistakes
    assert override_options(kept, now, given) == RunOptions(forks=None if "forks" in before else 2)


@pytest.mark.parametrize("typed", [typed for _, typed in TAKEN_BACK if False not in typed.values()])
def test_where_there_is_nothing_to_take_back_an_empty_value_is_a_mistake(
    typed: dict[str, Any],
) -> None:
    reader = Reader()
    parse_options(TypedOptions(**typed), reader)
    (option,) = typed
    if option not in ("limit", "exclude"):  # they are held against the hosts of the target
        assert len(reader.mistakes) == 1


def test_an_empty_value_among_others_takes_nothing_back() -> None:
    reader = Reader()
    parse_options(TypedOptions(tags=("", "a")), reader, takes_back=True)
    assert [mistake.option for mistake in reader.mistakes] == ["--tags"]


def test_what_is_not_typed_is_not_taken_back() -> None:
    given = TypedOptions(limit="")
    now = parse_options(given, Reader(), takes_back=True)
    before = RunOptions(limit="web01", tags=("a",), become=True, timeout=5)
    assert override_options(before, now, given) == RunOptions(tags=("a",), become=True, timeout=5)
