"""VMs in a vApp, by the command: imported, browsed, and with their snapshots."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diaken_cli.actions.inventory import add_environment
from tests.e2e.cli import Cli
from tests.integration.vsphere.simulator import PASSWORD, USERNAME, Simulator


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """web02 is in the vApp shop; a datacenter of the same name has VMs of the same names."""
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=2) as simulator:
        simulator.order("vapp", name="shop", vm="web02")
        simulator.order("datacenter", path="/F0/DC0")
        yield simulator


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator) -> Cli:
    cli = Cli(tmp_path)
    add_environment(cli.store, name="PROD")
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    cli.json(
        *("vcenters", "add", "main", "--server", f"127.0.0.1:{simulator.port}"),
        *("--username", USERNAME, "--ca-file", str(simulator.certificate)),
        *("--password-file", str(password), "--datacenter", "/DC0"),
    )
    return cli


def test_a_vm_in_a_vapp_is_a_host_like_any_other(cli: Cli) -> None:
    rows = cli.json("vcenters", "browse", "main", "vms")
    assert {row["name"]: row["path"] for row in rows} == {
        "web01": "/DC0/vm/web01",
        "web02": "/DC0/vm/shop/web02",
    }
    cli.json("hosts", "import", "--vcenter", "main", "--environment", "PROD", "--yes")
    hosts = {host["name"]: host for host in cli.json("hosts", "list")}
    assert {name: host["groups"] for name, host in hosts.items()} == {
        "web01": [],
        "web02": ["shop"],
    }
    cli.json("snapshots", "create", "before", "--host", "web02")
    assert [row["host"] for row in cli.json("snapshots", "list")] == ["web02"]


def test_of_another_datacenter_nothing_is_imported(cli: Cli) -> None:
    cli.json("vcenters", "set", "main", "--datacenter", "/F0/DC0")
    planned = cli.json(
        *("hosts", "import", "--vcenter", "main", "--environment", "PROD", "--dry-run")
    )
    assert planned == []
    assert cli.json("vcenters", "browse", "main", "vms") == []
    cli.json("vcenters", "set", "main", "--datacenter", "")
    assert len(cli.json("vcenters", "browse", "main", "vms")) == 2
