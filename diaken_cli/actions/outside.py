"""What every flow needs of the world: the store, the config, and sessions of vCenters."""

from collections.abc import Callable
from dataclasses import dataclass

from diaken_cli.config import Config
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store


@dataclass(frozen=True)
class Outside:
    """The store, the config, and `connect`, which logs in to the vCenter of that name."""

    store: Store
    config: Config
    connect: Callable[[str], Session]
