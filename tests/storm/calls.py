"""Commands of diaken in a storm: each is started, hit by what comes, and noted with its answer."""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.storm.world import World

LONGEST = 100.0
"""Seconds that a command may take in the worst storm."""

_PACE = 0.05
_KEPT = 3000  # characters of an answer in the log


@dataclass
class Sent:
    """A signal that was sent to a command, or to something that it had started."""

    name: str
    at: float
    to_itself: bool


@dataclass
class Call:
    """One command: what was asked, what was done to it, what came of it."""

    name: str
    argv: list[str]
    began: float
    sent: list[Sent] = field(default_factory=list)
    status: int | None = None
    seconds: float = 0.0
    peak_mib: int = 0
    hung: bool = False
    out: str = ""
    err: str = ""

    @property
    def killed(self) -> bool:
        """Whether it can have said nothing more."""
        return any(sent.name == "SIGKILL" and sent.to_itself for sent in self.sent)

    @property
    def words(self) -> str:
        """The command as it was typed."""
        return " ".join(self.argv)

    def json(self) -> Any:
        """Its answer; raises ValueError where that is not one JSON document."""
        return json.loads(self.out)


class Calls:
    """All commands of a storm, those that go on and those that have ended."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._number = 0
        self.alive: dict[int, Call] = {}
        self.ended: list[Call] = []

    def next_number(self) -> int:
        """A number that no other name has."""
        with self._lock:
            self._number += 1
            return self._number

    def make(self, name: str, *words: object, longest: float = LONGEST) -> Call:
        """Carry out one command to its end; what takes longer is killed, and noted as hung."""
        call = Call(name, [str(word) for word in words], time.time())
        number = self.next_number()
        out, err = (self._world.folder / f"call{number}.{end}" for end in ("out", "err"))
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                [*self._world.command, *call.argv, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                env=self._world.environment,
                start_new_session=True,
                cwd="/",
            )
            with self._lock:
                self.alive[process.pid] = call
            self._wait(process, call, longest)
        call.out, call.err = (path.read_text(errors="replace") for path in (out, err))
        out.unlink()
        err.unlink()
        with self._lock:
            self.ended.append(call)
            with (self._world.folder / "calls.jsonl").open("a") as file:
                cut = {"out": call.out[-_KEPT:], "err": call.err[-_KEPT:]}
                file.write(json.dumps(asdict(call) | cut) + "\n")
        return call

    def _wait(self, process: "subprocess.Popen[bytes]", call: Call, longest: float) -> None:
        deadline = time.monotonic() + longest
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > deadline and not call.hung:
                call.hung = True
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(_PACE)
        with self._lock:
            del self.alive[process.pid]
        process.returncode = call.status = os.waitstatus_to_exitcode(status)
        call.seconds = round(time.time() - call.began, 2)
        call.peak_mib = usage.ru_maxrss // 1024

    def owner(self, pid: int) -> int | None:
        """The command that a process is, or that has started it."""
        try:
            while pid > 1:
                if pid in self.alive:
                    return pid
                stat = Path(f"/proc/{pid}/stat").read_text()
                pid = int(stat.rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # it ended meanwhile
            pass
        return None

    def send(self, pid: int, number: signal.Signals) -> bool:
        """Send a signal to a process here, and note it with its command; False where it is gone."""
        owner = self.owner(pid)
        call = self.alive.get(owner) if owner is not None else None
        if call is not None:
            call.sent.append(Sent(number.name, time.time(), owner == pid))
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True
