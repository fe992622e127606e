"""Process 1 of a lab: makes its network and disks, runs its vCenters; all the rest dies with it."""

import contextlib
import ipaddress
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from places import GATEWAY, NETWORK, Place

HERE = Path(__file__).resolve().parent
FIRST_PORT = 8989
FIRST_VM = ipaddress.ip_address("10.77.0.101")  # below are the addresses that are free for deploys
MOST_VMS = 150
PREFIXES = ("web", "db", "app", "mail")


def main() -> None:
    """Run the lab that argv[1] asks for (JSON), tell of it in a line of JSON, and stay."""
    asked = json.loads(sys.argv[1])
    place = Place(asked["name"])
    set_up_network()
    set_up_disks(place)
    vcenters = [Vcenter(place, number, asked) for number in range(1, asked["vcenters"] + 1)]
    print(json.dumps([vcenter.describe() for vcenter in vcenters]), flush=True)
    os.close(sys.stdout.fileno())  # whoever reads it is not kept waiting
    wait_for_the_end({vcenter.process.pid for vcenter in vcenters})


def set_up_network() -> None:
    """Make the bridge that the hosts are on; its address is their gateway and the caller's own."""
    prefix_length = ipaddress.ip_network(NETWORK).prefixlen
    for command in (
        "link set lo up",
        "link add br0 type bridge",
        f"address add {GATEWAY}/{prefix_length} dev br0",
        "link set br0 up",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    # An address that is asked for before its host is there would be asked for again a second later.
    Path("/proc/sys/net/ipv4/neigh/br0/retrans_time_ms").write_text("50")


def set_up_disks(place: Place) -> None:
    """Mount the memory that disks are kept in and unpack the template's."""
    place.disks.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "lab", place.disks], check=True)
    for name in ("template", "hosts", "tmp"):
        (place.disks / name).mkdir()
    subprocess.run(
        [
            *("tar", "--xattrs", "--xattrs-include=trusted.overlay.*"),
            *("-xf", HERE / ".build/template.tar", "-C", place.disks / "template"),
        ],
        check=True,
    )


class Vcenter:
    """A simulated vCenter on the loopback of the lab."""

    def __init__(self, place: Place, number: int, asked: dict[str, Any]) -> None:
        self.prefix = PREFIXES[number - 1]
        self.number = number
        self.count = asked["vms"]
        self.first = FIRST_VM + (number - 1) * (MOST_VMS // asked["vcenters"])
        self.log = place.directory / "log" / f"vcenter{number}.log"
        hosts: list[str | Path] = ["-hook", HERE / "machine"] if asked["hosts"] else []
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    HERE / ".build/vcsim",
                    *("-instance", str(number), "-listen", f"127.0.0.1:{FIRST_PORT + number - 1}"),
                    *("-certificate", place.directory / "ca.pem"),
                    *("-key", place.directory / "key.pem"),
                    *("-password-file", place.directory / "password"),
                    *("-vms", str(self.count), "-vm-prefix", self.prefix),
                    *("-first-address", str(self.first)),
                    *("-network", NETWORK, "-gateway", GATEWAY),
                    *(f"-{name}={value}" for name, value in asked["simulator"].items()),
                    *hosts,
                ],
                env={**place.machine_environment(), "TMPDIR": str(place.disks / "tmp")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def describe(self) -> dict[str, Any]:
        """Wait until it serves, with its VMs, and say where."""
        assert self.process.stdout is not None  # noqa: S101 (for the type checker: it is a pipe)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"vCenter {self.number} did not start: {self.log.read_text()[-2000:]}")
        url = json.loads(line)["url"]
        vms = [
            {"name": f"{self.prefix}{index + 1:02}", "address": str(self.first + index)}
            for index in range(self.count)
        ]
        return {"url": url, "server": url.split("/")[2], "vms": vms}


def wait_for_the_end(vcenters: set[int]) -> None:
    """Reap what ends; a vCenter that ends by itself ends the lab: else no test could tell why."""
    while True:
        with contextlib.suppress(InterruptedError):
            pid, status = os.wait()
            if pid in vcenters:
                sys.exit(f"a vCenter ended with status {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
