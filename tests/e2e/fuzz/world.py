"""What a fuzz test calls the command with, where nothing of the machine can be changed."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from diaken_cli.requests import RunOptions
from diaken_cli.store import Store
from diaken_cli.store.records import VCenterValues
from diaken_cli.store.tasks import TaskValues
from diaken_cli.timing import Moment
from diaken_cli.types import RunStatus, SecretKind, TargetType
from tests.e2e.cli import HOSTS, Done
from tests.seeding import MORNING, add_hosts, begin

ROOT = Path(__file__).parents[3]


@dataclass
class World:
    """A seeded database, a hosts file, playbooks and files of every sort, anew for each call."""

    folder: Path
    network: bool = False
    """Whether it reaches this machine's own servers; else it has no network at all."""
    _server: "subprocess.Popen[str] | None" = field(default=None)

    @property
    def now(self) -> Path:
        """What the last call has left."""
        return self.folder / "world"

    def __enter__(self) -> Self:
        _seed(self.folder / "seed")
        self._server = subprocess.Popen(
            [
                *("unshare", "--mount", *(() if self.network else ("--net",)), "--pid", "--ipc"),
                *("--fork", "--kill-child"),
                *("--mount-proc", sys.executable, "-m", "tests.e2e.fuzz.server", self.folder),
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.communicate(timeout=30)

    def run(
        self,
        arguments: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        anew: bool = True,
    ) -> Done:
        """Carry out one call; `files` are written into its world first.

        Where it is not `anew`, that is the world that the call before has left.
        """
        given = self._environ() | dict(environ or {})
        request = {
            "anew": anew,
            "argv": [_bytes(argument) for argument in arguments],
            "environ": {_bytes(name): _bytes(value) for name, value in given.items()},
            "files": {name: content.decode("latin-1") for name, content in (files or {}).items()},
        }
        assert self._server is not None
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        out, err = (answer[name].encode("latin-1").decode() for name in ("out", "err"))
        return Done(answer["status"], out, err)

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": str(self.folder / "tmp"),
            "HOME": str(self.now / "home"),
            "XDG_CONFIG_HOME": str(self.now / "xdg-config"),
            "XDG_DATA_HOME": str(self.now / "xdg-data"),
            "DIAKEN_CONFIG": str(self.now / "config.toml"),
            "VC": "secret",
        }


def _bytes(text: str) -> str:
    """A word as bytes, in the shape that JSON carries."""
    return os.fsencode(text).decode("latin-1")


QUICK = """---
# A playbook that asks for nothing.
- name: Quick
  hosts: all
  gather_facts: false
  tasks: []
"""


def _seed(folder: Path) -> None:
    """What a call finds."""
    for each in (folder / "playbooks", folder / "folder", folder / "home", folder.parent / "tmp"):
        each.mkdir(parents=True)
    (folder / "hosts").write_text(HOSTS)
    world = folder.parent / "world"
    (folder / "config.toml").write_text(
        f'[database]\npath = "{world}/diaken.db"\n[hosts_file]\npath = "{world}/hosts"\n'
        f'[playbooks]\npaths = ["{world}/playbooks"]\n'
    )
    (folder / "playbooks/quick.yml").write_text(QUICK)
    (folder / "playbooks/broken.yml").write_text("- hosts: [\n")
    (folder / "good.yml").write_text("a: 1\n")
    (folder / "key").write_text("no key\n")
    (folder / "secret").write_text("secret\n")
    (folder / "secret").chmod(0o600)
    (folder / "hosts.csv").write_text("name,ip,environment\ndb01,10.0.5.1,PROD\n")
    (folder / "hosts.ini").write_text("[db]\ndb01 ansible_host=10.0.5.1 a='{{ 7*7 }}'\n")
    (folder / "hosts.yml").write_text("db: {hosts: {db01: {ansible_host: 10.0.5.1}}}\n")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "deep.yml").write_text("[" * 5000)
    (folder / "bomb.yml").write_text(
        "a: &a [x, x]\n"
        + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
    )
    store = Store(folder / "diaken.db")
    web01, web02 = add_hosts(store, ["web01", "web02"])
    store.inventory.add_environment("TEST")
    store.inventory.add_vcenter("main", VCenterValues("127.0.0.1:1", "u", SecretKind.ENV, "VC"))
    store.inventory.set_setting("answer", 42)
    begin(store, hosts=[web01, web02]).end(RunStatus.SUCCESS)
    store.schedules.add(
        "Patch web",
        TaskValues(
            target_type=TargetType.HOST,
            target_id=web01.id,
            target="web01",
            environment="PROD",
            playbook="quick",
            options=RunOptions(),
            moment=Moment(
                MORNING.replace(year=2036, tzinfo=None), "UTC", 0, MORNING.replace(year=2036)
            ),
            rule=None,
            grace=3600,
            due_at=MORNING.replace(year=2036),
        ),
    )
