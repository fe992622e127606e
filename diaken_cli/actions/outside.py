"""What every flow needs of the world: the store, the config, and sessions of vCenters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diaken_cli.config import Config
from diaken_cli.store import Store

if TYPE_CHECKING:
    from diaken_cli.services.vsphere.session import Session


@dataclass(frozen=True)
class Outside:
    """The store, the config, and `connect`, which logs in to the vCenter of that name.

    What a vCenter takes is loaded when one is connected to.
    """

    store: Store
    config: Config
    connect: Callable[[str], "Session"]
