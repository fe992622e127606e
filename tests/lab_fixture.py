"""A lab for tests, which dies with the test process; lab/README.md says what is in it."""

import ctypes
import json
import os
import ssl
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyVim.connect import Disconnect, SmartConnect

LAB = Path(__file__).resolve().parents[1] / "lab" / "lab"
CLONE_NEWNET = 0x40000000  # linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


class Lab:
    """A lab that is up. `described` is what `lab up` printed.

    Without `process` it is one that another process holds.
    """

    def __init__(self, process: "subprocess.Popen[str] | None", described: dict[str, Any]) -> None:
        self._process = process
        self.described = described
        self.name: str = described["name"]
        self.pid: int = described["pid"]
        self.directory = Path(described["directory"])
        self.server: str = described["server"]
        self.username: str = described["username"]
        self.password_file = Path(described["password_file"])
        self.ca_file = Path(described["ca_file"])
        self.ssh_private_key = Path(described["ssh_private_key"])
        self.gateway: str = described["gateway"]

    @classmethod
    def start(cls, name: str, *options: str) -> "Lab":
        """Start a lab with the options of `lab up`; it lives until stop(), or with this process."""
        process = subprocess.Popen(
            [LAB, "up", "--foreground", "--name", name, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("}"):  # the object is printed with an indent: this is its end
                return cls(process, json.loads("".join(lines)))
        raise RuntimeError(f"lab {name!r} did not start: exit status {process.wait()}")

    def stop(self) -> None:
        """End the lab and wait until nothing of it is left."""
        assert self._process is not None
        self._process.communicate(timeout=30)

    def exec(
        self, argv: Sequence[str | Path], **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the lab's network to its end; options of subprocess.run."""
        settings: dict[str, Any] = {
            "text": True,
            "capture_output": True,
            "timeout": 120,
            "check": False,
        }
        return subprocess.run(self.inside_argv(argv), **{**settings, **options})

    def popen(self, argv: Sequence[str | Path], **options: Any) -> "subprocess.Popen[str]":
        """Start a command in the lab's network, with its own pid; options of subprocess.Popen."""
        return subprocess.Popen(self.inside_argv(argv), **{"text": True, **options})

    def inside_argv(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """What `lab exec` becomes, without a Python that starts for each of thousands of calls."""
        return ["nsenter", f"--net={self.described['netns']}", "--", *argv]

    def sh(self, vm: str, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run a command inside the host of a VM, as root, without SSH."""
        return subprocess.run(
            [LAB, "sh", "--name", self.name, vm, *argv],
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def ssh(
        self, address: str, command: str, user: str = "root"
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on a host; exit status 255 where it does not answer within a second."""
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=1",
        )
        flags = [part for option in options for part in ("-o", option)]
        return self.exec(["ssh", "-i", self.ssh_private_key, *flags, f"{user}@{address}", command])

    @property
    def password(self) -> str:
        """The password of the vCenters."""
        return self.password_file.read_text().strip()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread into the lab's network for a while: setns(2) moves no other thread."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        theirs = os.open(self.described["netns"], os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(theirs)
            try:
                yield
            finally:
                _setns(own)
        finally:
            os.close(theirs)
            os.close(own)

    @contextmanager
    def connect(self, vcenter: int = 0) -> Iterator[Any]:
        """Log in to a vCenter (0 is the first), in the lab's network; yields a ServiceInstance."""
        host, port = self.described["vcenters"][vcenter]["server"].split(":")
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with self.inside():
            service = SmartConnect(
                host=host, port=int(port), user=self.username, pwd=self.password, sslContext=context
            )
            try:
                yield service
            finally:
                Disconnect(service)

    def sim(self, request: str, vcenter: int = 0, **parameters: str | int) -> dict[str, Any]:
        """Ask a simulator's own door, `/_sim/REQUEST?parameters`; refused by an HTTPError."""
        server = self.described["vcenters"][vcenter]["server"]
        url = f"https://{server}/_sim/{request}?{urllib.parse.urlencode(parameters)}"
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with self.inside(), urllib.request.urlopen(url, context=context, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def _setns(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


@contextmanager
def running_lab(name: str, *options: str) -> Iterator[Lab]:
    """A lab of this process with the options of `lab up`, for as long as it is needed."""
    started = Lab.start(f"{name}-{os.getpid()}", *options)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One lab for all tests of this process; who orders faults calls `lab.sim("clear")` after."""
    with running_lab("test") as started:
        yield started


def lab_of_module(*options: str) -> Any:
    """The fixture `lab` of a module that needs one of its own, with these options of `lab up`."""

    @pytest.fixture(scope="module", name="lab")
    def lab_of_its_own(request: pytest.FixtureRequest) -> Iterator[Lab]:
        module = request.module.__name__.rpartition(".test_")[2]
        with running_lab(module.replace("_", "-"), *options) as started:
            yield started

    return lab_of_its_own
