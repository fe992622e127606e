"""A simulated vCenter of its own for each test, and a session in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diaken_cli.services.vsphere.session import Session
from tests.integration.vsphere.simulator import Simulator


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(tmp_path, vms=3) as simulator:
        yield simulator


@pytest.fixture
def session(simulator: Simulator) -> Iterator[Session]:
    with simulator.connect() as session:
        yield session
