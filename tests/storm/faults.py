"""What goes wrong in a storm: each kind is a function that waits for a while and strikes once."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.storm.calls import Calls
from tests.storm.world import READY, World, finished

TASKS = (
    *("CloneVM_Task", "PowerOnVM_Task", "PowerOffVM_Task", "Destroy_Task", "ReconfigVM_Task"),
    *("CreateSnapshot_Task", "RemoveSnapshot_Task", "RevertToSnapshot_Task"),
)
CALLS = (
    *TASKS,
    *("Login", "RetrievePropertiesEx", "WaitForUpdatesEx", "CreateContainerView", "CreateFilter"),
)


@dataclass
class Storm:
    """What all faults share: when it is over, and what was done so far."""

    world: World
    calls: Calls
    chance: Random
    over: threading.Event
    done: "Counter[str]" = field(default_factory=Counter)
    backdated: set[str] = field(default_factory=set)
    """VMs whose automatic snapshots were made old, so that they are pruned."""

    def pause(self, least: float, most: float) -> bool:
        """Wait for a while of chance; False where the storm is over."""
        return not self.over.wait(self.chance.uniform(least, most))


Strike = Callable[[Storm], None]


def signals(storm: Storm) -> None:
    """Signals to diaken, and to what it has started: Ansible, its workers, ssh."""
    if not storm.pause(0.8, 4):
        return
    victims = list(storm.world.processes())
    mains = [pid for pid in victims if pid in storm.calls.alive and _has_begun(pid)]
    if mains and storm.chance.random() < 0.5:
        victims = mains
    victims = [pid for pid in victims if pid in mains or pid not in storm.calls.alive]
    if not victims:
        return
    pid = storm.chance.choice(victims)
    kinds = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP]
    (number,) = storm.chance.choices(kinds, [35, 25, 20, 20])
    to_main = pid in storm.calls.alive
    if storm.calls.send(pid, number):
        storm.done[f"{number.name} to {'diaken' if to_main else 'a child'}"] += 1
    if number == signal.SIGSTOP:
        storm.pause(0.5, 6)
        storm.calls.send(pid, signal.SIGCONT)


def power_cuts(storm: Storm) -> None:
    """All local processes end at once, as where the machine or its container goes down."""
    if storm.pause(12, 25):
        for pid in list(storm.world.processes()):
            storm.calls.send(pid, signal.SIGKILL)
        storm.done["power cut"] += 1


KINDS = (
    *("reset", "reset", "reset", "expire", "taskfault", "soapfault", "http", "delay"),
    *("taskdelay", "endless", "deaf", "pretend", "backdate", "clear", "clear"),
)


def vcenter_faults(storm: Storm) -> None:
    """vCenter refuses, hangs, forgets, loses its answers, or says what is not so."""
    if not storm.pause(0.8, 4):
        return
    kind = storm.chance.choice(KINDS)
    asked = _parameters(storm.chance, kind)
    storm.world.lab.sim(kind, **asked)
    if kind == "backdate":
        storm.backdated.add(asked["vm"])
    storm.done[f"vCenter: {kind}"] += 1


def _parameters(chance: Random, kind: str) -> dict[str, Any]:
    task, call = chance.choice(TASKS), chance.choice(CALLS)
    match kind:
        case "reset":
            when = chance.choice(["before", "after", "ahead"])
            return {"method": call, "count": chance.randint(1, 2), "when": when}
        case "taskfault":
            faults = ["NoDiskSpace", "ConcurrentAccess", "GenericVmConfigFault"]
            return {"method": task, "fault": chance.choice([*faults, "TaskInProgress"])}
        case "soapfault" if call == "Login":
            return {"method": call, "fault": "InvalidLogin"}
        case "soapfault":
            return {"method": call, "fault": chance.choice(["NoPermission", "HostCommunication"])}
        case "http":
            return {"method": call, "status": 503, "count": chance.randint(1, 3)}
        case "delay":
            return {"method": call, "ms": chance.randint(50, 1500)}
        case "taskdelay":
            return {"method": task, "ms": chance.randint(200, 5000)}
        case "endless" | "deaf":
            return {"method": task}
        case "pretend":  # of other tasks that claim success nobody could know better
            return {"method": "CloneVM_Task"}
        case "backdate":
            return {"vm": chance.choice(READY), "prefix": "Before executing", "by": "36h"}
        case _:
            return {}


def host_power(storm: Storm) -> None:
    """A host goes off, and on again a while later."""
    if not storm.pause(6, 14):
        return
    name = storm.chance.choice(READY[:-1])
    with storm.world.machines() as found:
        finished(found[name].PowerOffVM_Task())
    storm.done["host off"] += 1
    storm.pause(1, 6)
    storm.world.power_on(name)


def full_disk(storm: Storm) -> None:
    """The disk with the database has no room for a second or so."""
    if not storm.pause(25, 50):
        return
    ballast = storm.world.database.with_name("ballast")
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                with suppress(OSError):
                    while file.write(b"x" * size) == size:
                        pass
        storm.pause(0.5, 1.5)
    finally:
        ballast.unlink(missing_ok=True)
    storm.done["disk full"] += 1


STRIKES: tuple[Strike, ...] = (signals, vcenter_faults, host_power, full_disk)


def _has_begun(pid: int) -> bool:
    """Whether it is diaken that takes a signal, and not yet nsenter, or Python that starts."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def kill_all(world: World) -> None:
    """End what is left here when the storm is given up."""
    for pid in list(world.processes()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
