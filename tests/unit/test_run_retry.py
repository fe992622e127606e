"""What is typed at a retry wins over what the earlier run had; the rest is as it was."""

from pathlib import Path
from typing import Any

import pytest

from diaken_cli.actions.run.options import GivenOptions, understand
from diaken_cli.actions.run.retry import retried_options
from diaken_cli.actions.validate import Reader
from diaken_cli.words import RunOptions, to_stored

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
        ({"tags": ("a",)}, {"tags": ["b"], "forks": "5"}, {"tags": ["b"], "forks": 5}, ()),
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
    reader, given = Reader(), GivenOptions(**typed)
    now = understand(given, reader, Path("/"))

    options, said = retried_options(7, RunOptions(**before), now, given)

    assert not reader.mistakes
    assert to_stored(options) == {"v": 1, **becomes}
    assert said == notes
