"""The inventory that its tests begin with: no lab, and a database and a hosts file of its own."""

from pathlib import Path
from typing import Any

import pytest

from diaken_cli.actions.hosts import add_host
from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.actions.vcenters import add_vcenter
from diaken_cli.inventory_options import HostOptions, VCenterOptions
from tests.e2e.cli import Cli
from tests.seeding import MORNING


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def places(cli: Cli) -> Cli:
    """PROD with web and db, TEST with web, and a vCenter."""
    store = cli.store
    for environment in ("PROD", "TEST"):
        add_environment(store, name=environment)
    for name, environment in (("web", "PROD"), ("db", "PROD"), ("web", "TEST")):
        add_group(store, name=name, environment=environment, variables=())
    connection = VCenterOptions(server="127.0.0.1:1", username="u", password_env="VC_PASSWORD")
    add_vcenter(store, name="main", typed=connection)
    return cli


def add(
    cli: Cli,
    name: str,
    address: str,
    environment: str = "PROD",
    *,
    group: str | None = None,
    **given: Any,
) -> None:
    """Add a host by the flow itself: a process of its own takes most of a second."""
    if group is not None:
        given["groups"] = (group,)
    add_host(
        cli.store,
        name=name,
        options=HostOptions(ip=address, environment=environment, **given),
        now=MORNING,
        hosts_file=cli.hosts_file,
        emit=lambda event: None,
    )


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]
