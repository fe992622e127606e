"""One thing that can go wrong in a deploy, what has to become of it, and orders that bring it."""

import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.cli import PATIENCE
from tests.e2e.deploy.deploying import NAME, Deploying

if TYPE_CHECKING:
    from io import FileIO

HOST = (("host", NAME),)
NO_RUN = "none"
BOTH = (*HOST, ("vm", NAME))
MARKED = (("identity", NAME),)
PROTECTED = "can't be opened for writing"
FULL = "the disk of the database"

Order = Callable[[Deploying], object]


@dataclass(frozen=True)
class Fault:
    """What happens, and what has to become of it.

    `orders` are given before the deploy, `then` as soon as the step `during` is in `state` and has
    a fact that is `noted`; a change of the database that is to take long is `write`. `world` is the
    fixture that it happens in. `warned` is a part of a warning, `theirs` the hosts
    that somebody else has added, `fixed` what has to be put right before what is left is undone.
    """

    what: str
    orders: tuple[Order, ...] = ()
    more: tuple[str, ...] = ()
    during: str = ""
    state: str = "running"
    noted: str = ""
    write: str = ""
    then: Order = lambda _: None
    stopped: bool = False
    step: str = "clone"
    code: str | None = None
    said: str = ""
    warned: str = ""
    left: tuple[tuple[str, str], ...] = ()
    theirs: tuple[str, ...] = ()
    fixed: Order = lambda _: None
    world: str = "deploying"
    exit: int = 1

    @property
    def status(self) -> int:
        """The exit status: a fault that is survived has no code."""
        return 0 if self.code is None else self.exit

    @property
    def ends(self) -> str:
        """The status of the run; what is refused before it changed anything is none."""
        if self.code is None:
            return "success"
        if self.step == "validate" and self.code != "database":
            return NO_RUN
        if self.world == "small_disk":  # how it ended could not be recorded
            return "interrupted"
        return "canceled" if self.stopped else "failed"

    def reached(self, deploying: Deploying) -> bool:
        """Whether the last run is where `then` is to happen."""
        return any(
            (name, status) == (self.during, self.state)
            and (not self.noted or facts.get(self.noted))
            for name, status, facts in deploying.step_rows()
        )


def order(request: str, method: str, **parameters: Any) -> Order:
    """An order to the simulator."""
    return lambda deploying: deploying.lab.sim(request, method=method, **parameters)


def expire(deploying: Deploying) -> None:
    """End all sessions of vCenter."""
    deploying.lab.sim("expire")


def expire_and_refuse(deploying: Deploying) -> None:
    """End all sessions, and let nobody in any more."""
    order("soapfault", "Login", fault="InvalidLogin", count=500)(deploying)
    expire(deploying)


def fill_disk(deploying: Deploying) -> None:
    """Leave no room beside the database, and take what SQLite's log frees when it goes."""
    filler = deploying.folder / "filler"
    file = filler.open("wb", buffering=0)
    _write_all(file)

    def go_on() -> None:
        with file:
            deadline = time.monotonic() + PATIENCE
            while filler.exists() and time.monotonic() < deadline:
                _write_all(file)
                time.sleep(0.002)

    threading.Thread(target=go_on, name="filling").start()


def _write_all(file: "FileIO") -> None:
    for size in (65536, 1):
        with suppress(OSError):
            while True:
                file.write(b" " * size)


def make_room(deploying: Deploying) -> None:
    """Take back what filled the disk, or kept it from being written."""
    if mounts(deploying) > 1:
        subprocess.run(["umount", deploying.folder], check=True)
    (deploying.folder / "filler").unlink(missing_ok=True)
    for thread in threading.enumerate():
        if thread.name.startswith("filling"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def mounts(deploying: Deploying) -> int:
    """How often something is mounted on the folder of the database."""
    return Path("/proc/self/mounts").read_text().count(f" {deploying.folder} ")


def write_protect(deploying: Deploying) -> None:
    """The disk of the database can be read only, from one moment to the next.

    Where somebody has a file open for writing already, a mount can't be made so: EBUSY.
    """
    folder, aside = deploying.folder, deploying.folder.with_name("read-only")
    aside.mkdir(exist_ok=True)
    for words in (
        ("mount", "--bind", folder, aside),
        ("mount", "-o", "remount,bind,ro", aside),
        ("mount", "--bind", aside, folder),
        ("umount", aside),
    ):
        subprocess.run(words, check=True)


def hold_database(deploying: Deploying) -> None:
    """Another process works on the database, for three seconds."""
    options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
    database = sqlite3.connect(deploying.database, **options)
    database.execute("BEGIN IMMEDIATE")
    threading.Timer(3, database.close).start()


def full_disk(what: str, step: str, **more: Any) -> Fault:
    """The disk of the database is full from some moment in a step on."""
    filled: dict[str, Any] = {"then": fill_disk, "said": FULL, "code": "database", "left": BOTH}
    return Fault(what, world="small_disk", step=step, **{"during": step, **filled, **more})


UNAVAILABLE_ONCE = order("http", "*", status=503)
UNAVAILABLE = order("http", "*", status=503, count=500)
RESET_ONCE = order("reset", "*")
RESET = order("reset", "*", count=500)
SLOW_CLOCK = order("delay", "CurrentTime", ms=1500)
HELD_CLOCK = order("delay", "CurrentTime", ms=60_000)
RELEASED_CLOCK = order("delay", "CurrentTime", ms=0)
SLOW_CLONE = order("taskdelay", "CloneVM_Task", ms=1500)
SLOW_POWER = order("taskdelay", "PowerOnVM_Task", ms=1500)
SLOW_WAIT = order("delay", "WaitForUpdatesEx", ms=1500)
BAD = ("--playbook", "bad")
GOOD = ("--playbook", "good")


def command(*words: str) -> Order:
    """A command that somebody else gives meanwhile."""
    return lambda deploying: deploying.json(*words)
