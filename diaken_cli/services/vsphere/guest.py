"""What a guest says of itself through VMware Tools."""

import time
from collections.abc import Callable
from contextlib import closing

from pyVmomi import vim

from diaken_cli.services.vsphere.properties import Properties, watch
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import reported_addresses


def wait_for_address(
    session: Session,
    vm_ref: str,
    wanted: str,
    *,
    timeout: float,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[str, ...]:
    """Wait until the VM reports the wanted IPv4 address; the addresses that it reported last.

    It returns as soon as `wanted` is among them, when `timeout` seconds have passed, or when
    `should_stop` says so (looked at each second). Raises VSphereError (`gone`).
    """
    deadline = time.monotonic() + timeout
    guest: Properties = {}
    paths = ("guest.ipAddress", "guest.net")
    with closing(watch(session, vim.VirtualMachine, [vm_ref], paths)) as updates:
        for changes in updates:
            guest.update(changes.get(vm_ref, {}))
            addresses = reported_addresses(guest.get("guest.ipAddress"), guest.get("guest.net"))
            stopped = should_stop is not None and should_stop()
            if wanted in addresses or stopped or time.monotonic() >= deadline:
                return addresses
    raise AssertionError  # watching has no end of its own
