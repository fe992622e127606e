"""What a fuzz test calls the command with, where nothing of the machine can be changed."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w
import typer
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy

from diaken_cli.commands import GROUPS
from diaken_cli.config.kinds import (
    ADDRESS,
    ADDRESSES,
    DOMAIN,
    DURATION,
    FLAG,
    LINE,
    PATH,
    PATHS,
    SIZE,
    TIMEZONE,
    WORDS,
    Kind,
)
from diaken_cli.config.load import variable_name
from diaken_cli.config.sections import SECTIONS, kinds
from diaken_cli.store import Store
from diaken_cli.store.records import VCenterValues
from diaken_cli.store.tasks import TaskValues
from diaken_cli.timing import Moment
from diaken_cli.words import RunOptions, RunStatus, SecretKind, TargetType
from tests.e2e.cli import HOSTS, Done
from tests.seeding import MORNING, add_hosts, begin

ROOT = Path(__file__).parents[2]

HOSTILE = (
    *("", " ", "\n", "\t", "-", "--", "-1", "0", "0d", "-5m", "1e9", "0x10", "9" * 19, "9" * 5000),
    *("a" * 300, "b" * 70_000, "web01\n10.6.6.6 evil", "web01 ansible_host=10.6.6.6", "x;id"),
    *("10.0.4.30\n10.6.6.6\tevil", "[all:vars]", "web01]\n[evil", "# END DIAKEN", "\r\nevil"),
    *("{{ 7*7 }}", "{% for x in y %}", "{{ lookup('pipe','id') }}", "!unsafe x", "&a [*a]"),
    *(
        "$(id)",
        "`id`",
        "'",
        '"',
        "a'b\"c",
        "\\",
        "%",
        "%s%n",
        "*",
        "?",
        "~",
        "~nobody/x",
        "${HOME}",
    ),
    *("../../etc/passwd", "/etc/passwd", "/", ".", "..", "./x/../y", "/dev/null", "/proc/self/mem"),
    *("wеb01", "ｗeb01", "web\u200b01", "\u202ebew", "web01\u2028", "Ⅷ", "٣", "²", "①", "\ufeff"),
    *("\x1b[31mred", "\x1b]0;title\x07", "\x7f", "\x85", "caf\u00e9", "cafe\u0301", "😀", "null"),
    *(
        "true",
        "[]",
        "{}",
        "NaN",
        "1e999",
        "[" * 3000,
        '"\\ud800"',
        "K=V",
        "=",
        "K=",
        "=V",
        "@",
        "@/",
    ),
    *("@folder", "@binary", "@none", "@bomb.yml", "@deep.yml", "folder", "binary", "none"),
    *("2026-99-99", "0001-01-01", "9999-12-31T23:59:59", "+999999999d", "FREQ=SECONDLY", "FREQ=X"),
    *("FREQ=DAILY;UNTIL=99999999", "10.0.4.300", "10.0.4", "::1", "010.0.0.1", "10.0.4.9/99"),
    *("\udcff\udcfe", "web\udc80", "@\udcff", "/\udcff", "\udcffK=V"),
)
PLAUSIBLE: Mapping[str, Sequence[str]] = {
    "--ip": ("10.0.4.30", "10.0.4.30/24", "10.0.4.21"),
    "--gateway": ("10.0.4.1",),
    "--dns": ("10.0.0.53",),
    "--environment": ("PROD", "TEST"),
    "--group": ("web", "none"),
    "--host": ("web01", "web02"),
    "--vcenter": ("main",),
    "--template": ("debian12",),
    "--network": ("VM Network",),
    "--cpus": ("2",),
    "--memory": ("2G",),
    "--disk": ("20G",),
    "--playbook": ("quick",),
    "--at": ("+2h", "2030-06-01 03:00"),
    "--every": ("daily", "FREQ=WEEKLY;BYDAY=MO"),
    "--timezone": ("Europe/Madrid",),
    "--until": ("+1d", "2030-06-01"),
    "--since": ("2020-01-01", "7d"),
    "--older-than": ("90d", "1h"),
    "--vm-uuid": ("5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b",),
    "--var": ("a=b",),
    "--unset-var": ("a",),
    "--extra-var": ("a=b", "@good.yml"),
    "--extra-config": ("a=b",),
    "--server": ("vc.example.com", "127.0.0.1:1"),
    "--username": ("u",),
    "--password-env": ("VC",),
    "--password-command": ("echo x",),
    "--port": ("22",),
    "--python": ("/usr/bin/python3",),
    "--user": ("deploy",),
    "--timeout": ("5s",),
    "--wait": ("1s",),
    "--status": ("success",),
    "--kind": ("deploy",),
    "--limit": ("5", "web*"),
    "--count": ("5",),
    "--forks": ("5",),
    "--path": ("new.toml", "new-hosts"),
    "--html": ("new.html",),
    "--log-file": ("new.log",),
    "--output": ("json", "jsonl", "text"),
    "--retry-failed": ("1", "2"),
    "NAME": ("web01", "web", "PROD", "main", "new01", "Patch web", "quick"),
    "HOST": ("web01",),
    "GROUP": ("web",),
    "PLAYBOOK": ("quick", "broken"),
    "RUN": ("1", "2", "99"),
    "TASK": ("1", "Patch web"),
    "KEY": ("answer", "snapshot_retention_hours"),
    "VALUE": ("42",),
    "WHAT": ("templates",),
    "SNAPSHOT": ("mine",),
    "FILE": ("copy.db",),
}
ALONE = frozenset({"--help", "--debug", "--follow"})
"""Options that are left out: they ask for a help page or a traceback; --follow waits."""


@dataclass(frozen=True)
class Command:
    """A command as the command line knows it: its words, its positionals and its options."""

    words: tuple[str, ...]
    positionals: tuple[str, ...]
    values: tuple[str, ...]
    flags: tuple[str, ...]


def commands() -> list[Command]:
    """Every command that there is, from the tree that parses them."""
    found = []
    for name in GROUPS:
        group: Any = typer.main.get_group(
            importlib.import_module(f"diaken_cli.commands.{name}").app
        )
        for verb, command in group.commands.items():
            options = [p for p in command.params if p.param_type_name == "option"]
            usable = [p for p in options if not ALONE & set(p.opts)]
            found.append(
                Command(
                    (name, verb),
                    tuple(p.metavar for p in command.params if p.param_type_name == "argument"),
                    tuple(p.opts[0] for p in usable if not p.is_flag),
                    tuple(
                        each for p in usable if p.is_flag for each in (*p.opts, *p.secondary_opts)
                    ),
                )
            )
    return found


# ── what is generated ────────────────────────────────────────────────────────────────────────

# No argv and no environment can carry a NUL: exec(3) ends there.
HOSTILE_TEXT = some.one_of(
    some.sampled_from(HOSTILE),
    some.text(some.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)


def _value(name: str) -> SearchStrategy[str]:
    plausible = PLAUSIBLE.get(name, ())
    usual = [some.sampled_from(plausible)] * 3 if plausible else []
    return some.one_of(*usual, HOSTILE_TEXT)


@some.composite
def calls(draw: Any, known: Sequence[Command]) -> list[str]:
    """The words of one call of any command."""
    command = draw(some.sampled_from(known))
    words = list(command.words)
    words += [draw(_value(name)) for name in command.positionals if draw(some.integers(0, 9))]
    if command.values:
        for name in draw(some.lists(some.sampled_from(command.values), max_size=6)):
            value = draw(_value(name))
            words += [f"{name}={value}"] if draw(some.booleans()) else [name, value]
    if command.flags:
        words += draw(some.lists(some.sampled_from(command.flags), max_size=3, unique=True))
    return words


GOOD: Mapping[Kind, Any] = {
    LINE: "web",
    PATH: "below/here",
    FLAG: True,
    DURATION: "30m",
    SIZE: "8G",
    ADDRESS: "10.0.4.1",
    DOMAIN: "example.com",
    TIMEZONE: "Europe/Madrid",
    WORDS: ["-J", "jump"],
    PATHS: ["playbooks"],
    ADDRESSES: ["10.0.0.53"],
}
"""A right value of each kind; of the others, which are numbers, it is 5."""


def _names() -> list[tuple[str, str]]:
    return [(section, key) for section in SECTIONS for key in kinds(section)]


def _toml_values() -> SearchStrategy[Any]:
    simple = some.one_of(
        *(some.booleans(), some.integers(), some.floats(allow_nan=True), some.datetimes()),
        *(some.sampled_from(["8G", "30m", "10.0.4.1", "UTC", "web", "/tmp/x", "~"]), HOSTILE_TEXT),
    )
    text = some.text(some.characters(codec="utf-8"), max_size=20)
    return some.recursive(
        simple,
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(text, inner, max_size=3),
        max_leaves=4,
    )


@some.composite
def config_files(draw: Any) -> bytes:
    """A config file: sections and keys that there are, and others, with values of every type."""
    sections: dict[str, Any] = {}
    text = some.text(some.characters(codec="utf-8"), max_size=10)
    for section, key in draw(some.lists(some.sampled_from(_names()), max_size=4)):
        right = GOOD.get(kinds(section)[key], 5)
        value = draw(_toml_values()) if not draw(some.integers(0, 3)) else right
        sections.setdefault(section, {})[key] = value
    if not draw(some.integers(0, 4)):
        sections[draw(some.sampled_from([*SECTIONS, "nothing"]) | text)] = draw(_toml_values())
    if not draw(some.integers(0, 4)):
        environments = draw(some.dictionaries(text, _toml_values(), max_size=2) | _toml_values())
        deploy = sections.setdefault("deploy", {})
        if isinstance(deploy, dict):
            deploy["environments"] = environments
    content: bytes = tomli_w.dumps(_encodable(sections)).encode()
    damage = draw(some.sampled_from(["none"] * 6 + ["cut", "bytes", "doubled", "huge", "random"]))
    match damage:
        case "cut":
            content = content[: draw(some.integers(0, len(content)))]
        case "bytes":
            at = draw(some.integers(0, len(content)))
            content = content[:at] + draw(some.binary(max_size=8)) + content[at:]
        case "doubled":
            content *= 2
        case "huge":
            content += b"# " + b"x" * 2_000_000 + b"\n" + b"y = " + b"9" * 6000 + b"\n"
        case "random":
            content = draw(some.binary(max_size=200))
    return content


def _encodable(value: Any) -> Any:
    """Without the half surrogates that TOML has no way to write."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_encodable(key): _encodable(each) for key, each in value.items()}
        case list():
            return [_encodable(each) for each in value]
    return value


@some.composite
def variables(draw: Any) -> dict[str, str]:
    """`DIAKEN_*`, those that there are and others, and what else says where files are."""
    known = [variable_name(section, key) for section, key in _names()]
    others = ("DIAKEN_CONFIG", "DIAKEN_DATABASE", "DIAKEN_SSH_NOTHING", "DIAKEN_", "TZ", "COLUMNS")
    folders = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR", "SUDO_USER", "LC_ALL")
    names = some.sampled_from([*known, *others, *folders])
    short = HOSTILE_TEXT.filter(lambda text: len(text) < 10_000)
    usual = some.sampled_from(["8G", "30m", "10.0.4.1", "UTC", "web", "22", "true", "a:b", "x/y"])
    return dict(draw(some.dictionaries(names, usual | short, min_size=1, max_size=4)))


# ── where it is called ───────────────────────────────────────────────────────────────────────


@dataclass
class World:
    """A seeded database, a hosts file, playbooks and files of every sort, anew for each call."""

    folder: Path
    _server: "subprocess.Popen[str] | None" = field(default=None)

    @property
    def now(self) -> Path:
        """What the last call has left."""
        return self.folder / "world"

    def __enter__(self) -> Self:
        _seed(self.folder / "seed")
        self._server = subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child"),
                *("--mount-proc", sys.executable, "-m", "tests.e2e.fuzz_server", self.folder),
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
    ) -> Done:
        """Carry out one call; `files` are written into its world first."""
        given = self._environ() | dict(environ or {})
        request = {
            "argv": [_bytes(each) for each in arguments],
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
