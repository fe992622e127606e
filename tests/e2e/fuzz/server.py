"""Carries out calls of the command, a fork each, where only one folder can be written to.

It is started in namespaces of its own by `world.py`, as `python -m … FOLDER`. A request
is a line of JSON on standard input, and so is its answer on standard output. What a call costs is a
fork: all that it could import is there. The fidelity is that of a process of its own, except that
standard output is strict about what is not UTF-8, as in a locale like de_DE.UTF-8.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

PATIENCE = 60.0
"""Seconds for one call; one that takes longer is killed, and its status is -1."""
IMPORTED_LATE = (
    "tomllib",
    "importlib.readers",
    "tomli_w",
    "rich.console",
    "rich.table",
    "rich.text",
    "encodings.idna",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "zoneinfo",
    "difflib",
    "traceback",
    "yaml",
    "shlex",
)
"""What functions import."""
KEPT_WRITABLE = ("proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs")


def main() -> None:
    folder = Path(sys.argv[1])
    _seal(folder)
    load()
    print("ready", flush=True)  # noqa: T201  the protocol
    for line in sys.stdin:
        print(json.dumps(_carry_out(folder, json.loads(line))), flush=True)  # noqa: T201


def _seal(folder: Path) -> None:
    """Make all that is outside of the folder read-only, for this process and its children."""

    def mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True)

    cron = folder / "cron.d"
    cron.mkdir()
    mount("--make-rprivate", "/")
    mount("--bind", str(folder), str(folder))
    mount("--bind", str(cron), "/etc/cron.d")
    mount("-t", "tmpfs", "tmpfs", "/dev/shm")  # where there is one, secrets of a run are there
    written = (str(folder), "/etc/cron.d", "/dev", "/dev/shm")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        point, kind = before.split()[4], after.split()[0]
        point = point.encode().decode("unicode_escape")
        if point not in written and kind not in KEPT_WRITABLE:
            # What lies below another mount can't be reached, neither by us nor by a call.
            subprocess.run(["mount", "-o", "remount,bind,ro", point], check=False)
    for path in (Path("/etc"), Path("/var/lib"), Path.home()):
        with contextlib.suppress(OSError):
            (path / "diaken-fuzz").touch()
            raise SystemExit(f"{path} can be written to")


def load() -> None:
    """Import all that a call may import."""
    import diaken_cli

    for package in pkgutil.walk_packages(diaken_cli.__path__, "diaken_cli."):
        if not package.name.endswith("__main__"):
            importlib.import_module(package.name)
    for name in ("diaken_cli.__main__", *IMPORTED_LATE):
        importlib.import_module(name)


def _carry_out(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    world = folder / "world"
    if request["anew"]:
        shutil.rmtree(world, ignore_errors=True)
        shutil.copytree(folder / "seed", world, symlinks=True)
    for name, content in request["files"].items():
        (world / name).write_bytes(content.encode("latin-1"))
    pid = os.fork()
    if pid == 0:
        _call(world, request)
    status = _wait(pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it left running
    said = {name: (folder / name).read_bytes().decode("latin-1") for name in ("out", "err")}
    return {"status": status, **said}


def _wait(pid: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


def _call(world: Path, request: dict[str, Any]) -> NoReturn:
    """In the child: become a call of the command."""
    os.setsid()
    os.chdir(world)
    for target, name in ((1, "../out"), (2, "../err")):
        os.dup2(os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), target)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = open(descriptor, "w", encoding="utf-8", errors="strict", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    os.environb.clear()
    os.environb.update(
        {k.encode("latin-1"): v.encode("latin-1") for k, v in request["environ"].items()}
    )
    os.umask(0o022)
    sys.argv = ["diaken", *(os.fsdecode(each.encode("latin-1")) for each in request["argv"])]
    status = 0
    try:
        sys.modules["diaken_cli.__main__"].main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except ValueError:
        status = 120  # the interpreter's own status where the last words can't be written
    os._exit(status)


if __name__ == "__main__":
    main()
