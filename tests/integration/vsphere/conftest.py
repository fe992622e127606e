"""A simulated vCenter that no test before has left an order in, and a session in it."""

from collections.abc import Iterator

import pytest

from diaken_cli.services.vsphere.session import Session
from tests.integration.vsphere.simulator import Simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """That of the module; no call is counted yet."""
    running_simulator.order("clear")
    running_simulator.calls()
    return running_simulator


@pytest.fixture
def session(simulator: Simulator) -> Iterator[Session]:
    """Logged in as the administrator."""
    with simulator.connect() as session:
        yield session
