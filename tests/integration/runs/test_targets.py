"""A run's hosts are those that its target has when they are locked, and no others."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from diaken_cli.actions.run.flow import run
from diaken_cli.actions.run.targets import RunRequest, host_target
from diaken_cli.config import load
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, NotFound
from diaken_cli.requests import RunOptions
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues


def no_vcenter(name: str) -> NoReturn:
    raise AssertionError(name)


def test_a_host_that_was_moved_meanwhile_is_not_run_on(store: Store, tmp_path: Path) -> None:
    """`--environment TEST` said what is meant, maybe an hour before it was free."""
    config = load(None, {"HOME": str(tmp_path)})
    inventory = store.inventory
    test, prod = inventory.add_environment("TEST"), inventory.add_environment("PROD")
    host = inventory.add_host("web01", HostValues("10.0.4.21", test.id), datetime.now(UTC))
    request = RunRequest(host_target(store, "web01", "TEST"), "basic_info", RunOptions())
    inventory.set_host(host, HostValues("10.0.4.21", prod.id))

    with pytest.raises(
        Conflict, match="web01 was moved from TEST to PROD in the meantime"
    ) as refused:
        run(request, Context(store, config, no_vcenter, Stop()), lambda _: None)

    assert refused.value.code == "changed"
    assert store.dead_runs.running() == []
    assert store.runs.locked() == {}


def test_a_host_that_was_removed_meanwhile_is_not_called_inactive(
    store: Store, tmp_path: Path
) -> None:
    config = load(None, {"HOME": str(tmp_path)})
    inventory = store.inventory
    test = inventory.add_environment("TEST")
    host = inventory.add_host("web01", HostValues("10.0.4.21", test.id), datetime.now(UTC))
    request = RunRequest(host_target(store, "web01", None), "basic_info", RunOptions())
    inventory.remove_host(host)

    with pytest.raises(NotFound, match="web01 was removed in the meantime"):
        run(request, Context(store, config, no_vcenter, Stop()), lambda _: None)

    assert store.dead_runs.running() == []
