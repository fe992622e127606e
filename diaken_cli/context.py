"""The context that a command hands down to every flow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from diaken_cli import caller
from diaken_cli.config import Config
from diaken_cli.stop import Stop
from diaken_cli.store import Store

if TYPE_CHECKING:
    from diaken_cli.services.vsphere.session import Session


@dataclass(frozen=True)
class Context:
    """The store, the config, sessions of vCenters, whether to stop, and what time it is.

    `connect` logs in to the vCenter of that name; what a vCenter takes is loaded then. With `debug`
    the traceback of a defect is printed where nobody else would.
    """

    store: Store
    config: Config
    connect: Callable[[str], "Session"]
    stop: Stop
    clock: Callable[[], datetime] = caller.now
    debug: bool = False
