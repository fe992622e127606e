"""A folder and a database for each test of the doctor."""

from pathlib import Path

import pytest

from diaken_cli.actions.hosts import add_host
from diaken_cli.actions.inventory import add_environment
from diaken_cli.caller import now
from diaken_cli.inventory_options import HostOptions
from diaken_cli.store import Store


@pytest.fixture
def tmp_path(on_disk: Path) -> Path:
    """The doctor warns of a database in memory."""
    return on_disk


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a host, and a hosts file that is in step."""
    store = Store(tmp_path / "diaken.db")
    add_environment(store, name="PROD")
    (tmp_path / "hosts").write_text("127.0.0.1\tlocalhost\n")
    add_host(
        store,
        name="web01",
        options=HostOptions(ip="10.77.0.9", environment="PROD"),
        now=now(),
        hosts_file=tmp_path / "hosts",
        emit=lambda event: None,
    )
    return store
