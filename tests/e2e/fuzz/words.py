"""The words of a call as a fuzz test makes them up: every command, its arguments and options."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy

from diaken_cli.commands import COMMANDS, GROUPS

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
    *(
        "@folder",
        "@binary",
        "@none",
        "@~nobody/x",
        "@bomb.yml",
        "@deep.yml",
        "folder",
        "binary",
        "none",
    ),
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
    "--become-password-command": ("echo x",),
    "--ca-file": ("good.yml", "none"),
    "--clone-timeout": ("5s",),
    "--config": ("config.toml", "none"),
    "--csv": ("hosts.csv", "hosts.yml", "folder"),
    "--database": ("new.db", "diaken.db"),
    "--datacenter": ("DC0",),
    "--description": ("a server",),
    "--domain": ("example.com",),
    "--exclude": ("web02",),
    "--inventory": ("hosts.ini", "hosts.yml", "hosts.csv", "folder"),
    "--key": ("key",),
    "--misfire-grace": ("1h",),
    "--password-file": ("secret", "good.yml"),
    "--playbooks": ("playbooks",),
    "--skip-tags": ("slow",),
    "--ssh-key": ("key",),
    "--ssh-user": ("deploy",),
    "--tags": ("quick,all",),
    "--task": ("1", "Patch web"),
    "--vault-password-file": ("secret",),
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
    for name in (*GROUPS, *COMMANDS):
        app = importlib.import_module(f"diaken_cli.commands.{name}").app
        if name in COMMANDS:
            found.append(_command((name,), typer.main.get_command(app)))
            continue
        group: Any = typer.main.get_group(app)
        found += [_command((name, verb), each) for verb, each in group.commands.items()]
    return found


def _command(words: tuple[str, ...], command: Any) -> Command:
    options = [p for p in command.params if p.param_type_name == "option"]
    usable = [p for p in options if not ALONE & set(p.opts)]
    return Command(
        words,
        tuple(p.metavar for p in command.params if p.param_type_name == "argument"),
        tuple(p.opts[0] for p in usable if not p.is_flag),
        tuple(opt for p in usable if p.is_flag for opt in (*p.opts, *p.secondary_opts)),
    )


def in_json(words: Sequence[str]) -> list[str]:
    """The same call, with --json behind the command."""
    length = 1 if words[0] in COMMANDS else 2
    return [*words[:length], "--json", *words[length:]]


# ── what is generated ────────────────────────────────────────────────────────────────────────

# No argv and no environment can carry a NUL: exec(3) ends there.
HOSTILE_TEXT = some.one_of(
    some.sampled_from(HOSTILE),
    some.text(some.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)


def _joined(separator: str, parts: SearchStrategy[str], most: int) -> SearchStrategy[str]:
    return some.lists(parts, min_size=1, max_size=most).map(separator.join)


def _some(*choices: str) -> SearchStrategy[str]:
    return some.sampled_from(choices)


NUMBERS = some.one_of(
    some.integers(-400, 400).map(str), some.sampled_from(["", "+1", "-0", "007", "9" * 30, "1.5"])
)
PARTS = _some(
    *("INTERVAL", "COUNT", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYHOUR"),
    *("BYMINUTE", "BYSECOND", "BYSETPOS"),
)
RULES = some.one_of(
    *(
        some.builds(
            ";".join,
            some.tuples(
                _some("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "MINUTELY").map(
                    lambda frequency: f"FREQ={frequency}"
                ),
                _joined(
                    ";",
                    some.one_of(
                        some.builds("{}={}".format, PARTS, _joined(",", numbers, 3)),
                        _joined(",", _some("MO", "SU", "2TU", "-1FR", "53SA", "0MO"), 3).map(
                            lambda days: f"BYDAY={days}"
                        ),
                        _some("WKST=SU", "UNTIL=20310101", "UNTIL=20310101T000000Z", "", "RRULE:"),
                    ),
                    4,
                ),
            ),
        )
        for numbers in (some.integers(1, 31).map(str), NUMBERS)
    )
)
"""Recurrence rules: those that never fall on a day, too."""
MOMENTS = some.one_of(
    some.builds(
        "{}{}{:02}:{}{}".format,
        _some("2030-06-01", "2031-10-26", "2031-03-30", "2032-02-29", "2031-02-29", "9999-12-31"),
        _some(" ", "T", "  ", "t"),
        some.integers(0, 25),
        _some("00", "30", "59:59", "60", "3"),
        _some("", "Z", " +01:00", "+23:59", "-99:99", "+0100", "[UTC]"),
    ),
    some.builds("+{}{}".format, NUMBERS, _some("s", "m", "h", "d", "w", "")),
)
JSON = some.recursive(
    some.one_of(_some("1", "-1e400", "NaN", '"x"', '"\\u0000"', "null", "1" * 5000, "24", "true")),
    lambda inner: some.one_of(
        _joined(",", inner, 3).map(lambda items: f"[{items}]"),
        some.builds('{{"{}":{}}}'.format, _some("a", "", "ansible_host", "__ansible_vault"), inner),
    ),
    max_leaves=4,
)
TEMPLATES = ("{{ 1 }}", "!vault x", "@good.yml", "@deep.yml", "@bomb.yml", "\t", "a\nb", "\x1b[0m")
PAIRS = some.builds(
    "{}={}".format,
    _some("a", "ansible_host", "ansible_password", "hosts", "class", "inventory_hostname", "vars"),
    some.one_of(JSON, _some(*TEMPLATES)),
)
YAML = some.builds(
    "{{{}: {} {}}}".format,
    _some("a", "ansible_ssh_host", "? [b]", "<<", "1", "''"),
    _some("", "!!int", "!!bool", "!!float", "!!timestamp", "!!binary", "!!set", "!vault", "&a"),
    _some("x", "''", "[1]", "{b: c}", "*a", "0x_", "1:99:3", "2026-99-99", ".nan", '"\\uD800"'),
)
PATTERNS = _joined(
    "",
    _some("web", "01", "*", "!", "&", ":", ",", "~", "(", "[", "]", "0:1", "all", "@good.yml"),
    5,
)
NAMES = _joined(
    "",
    _some("web01", "web", "-", ".", "PROD", "all", "\u0430", "\uff0e", "\u0130", "ß", "_", "9"),
    4,
)
"""Of names that there are, and of letters that look like theirs."""
SHAPED: Mapping[str, SearchStrategy[str]] = {
    **dict.fromkeys(("--every",), RULES),
    **dict.fromkeys(("--at", "--until", "--since"), MOMENTS),
    **dict.fromkeys(("--var", "--extra-config"), PAIRS),
    "--extra-var": PAIRS | YAML,
    **dict.fromkeys(("--limit", "--exclude", "--tags", "--skip-tags"), PATTERNS),
    **dict.fromkeys(("NAME", "HOST", "GROUP", "--group", "--environment", "--host"), NAMES),
    "VALUE": JSON,
}


def _value(name: str) -> SearchStrategy[str]:
    plausible = PLAUSIBLE.get(name, ())
    usual = [some.sampled_from(plausible)] * 3 if plausible else []
    shaped = [SHAPED[name]] if name in SHAPED else []
    return some.one_of(*usual, *shaped, HOSTILE_TEXT)


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


@some.composite
def typed(draw: Any, known: Sequence[Command]) -> list[str]:
    """The words of a line that is being typed, cut off anywhere: what completion is asked with."""
    words = draw(calls(known)) if draw(some.integers(0, 4)) else draw(some.lists(HOSTILE_TEXT))
    cut: list[str] = words[: draw(some.integers(0, len(words)))]
    if cut and draw(some.booleans()):
        cut[-1] = cut[-1][: draw(some.integers(0, len(cut[-1])))]
    return cut
