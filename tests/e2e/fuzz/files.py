"""Files and variables as a fuzz test makes them up: what a call reads that is not in its words."""

import json
from collections.abc import Mapping
from typing import Any

import tomli_w
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy

from diaken_cli.actions.importing.csv_file import COLUMNS
from diaken_cli.config.sections import SECTIONS, kinds
from diaken_cli.config.sources import variable_name
from diaken_cli.kinds import (
    ACCOUNT,
    ADDRESS,
    ADDRESSES,
    DOMAIN,
    DURATION,
    FLAG,
    INTERPRETER,
    LINE,
    PATH,
    PATHS,
    SIZE,
    TIMEZONE,
    WORDS,
    Kind,
)
from tests.e2e.fuzz.words import HOSTILE, HOSTILE_TEXT, NAMES

GOOD: Mapping[Kind, Any] = {
    LINE: "web",
    ACCOUNT: "root",
    INTERPRETER: "/usr/bin/python3",
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


@some.composite
def tables(draw: Any) -> bytes:
    """A table of hosts: mostly right, with cells, columns and bytes that are not."""
    columns = draw(
        some.lists(some.sampled_from([*COLUMNS, "var.a", "VAR.b", "var.class", "none"]), max_size=5)
    )
    columns = ["name", "ip", *columns] if draw(some.integers(0, 9)) else columns
    separator = draw(some.sampled_from([",", ",", ";", "\t", "|"]))
    quoted = draw(some.booleans())
    rows = [columns]
    for number in range(draw(some.integers(0, 4))):
        usual = {"name": f"db{number}", "ip": f"10.0.5.{number + 1}", "environment": "PROD"}
        usual |= {"active": "yes", "port": "22", "vcenter": "main", "group": "db"}
        cells = [
            usual.get(column, "x") if draw(some.integers(0, 4)) else draw(HOSTILE_TEXT | NAMES)
            for column in columns
        ]
        rows.append(cells[: draw(some.integers(0, len(cells)))] if number == 3 else cells)
    if quoted:
        rows = [['"{}"'.format(each.replace('"', '""')) for each in row] for row in rows]
    content = draw(some.sampled_from(["\n", "\r\n", "\r"])).join(map(separator.join, rows))
    return _encoded(draw, content)


VARIABLES = (
    *("ansible_host", "ansible_port", "ansible_user", "ansible_connection", "ansible_password"),
    *("ansible_python_interpreter", "ansible_ssh_common_args", "ansible_ssh_private_key_file"),
    *("inventory_hostname", "group_names", "a", "class", "a b", "\u0430", "vars", "no_log"),
)
VALUES = (
    *("10.0.5.9", "10.0.4.21", "22", "0", "root", "local", "ssh", "yes", "/usr/bin/python3"),
    *("{{ 7*7 }}", "{{ lookup('pipe', 'id') }}", "!vault x", "!unsafe x", "-oProxyCommand=id"),
    *("key", "~/.ssh/id", "None", "[1, 2]", "{'a': 1}", "1e999", "9" * 400, "'", '"', "a # b"),
)
MEMBERS = (
    "db01",
    "db[01:03]",
    "db[a:c]",
    "db[1:9999:3]",
    "10.0.5.7",
    "db02:22",
    "web01",
    "[::1]:2",
)


@some.composite
def inventories(draw: Any) -> tuple[str, bytes]:
    """An inventory of Ansible's with the end of its name: INI, YAML or JSON, right and wrong."""
    members = some.sampled_from(MEMBERS) | NAMES | some.sampled_from(HOSTILE)
    variables = some.dictionaries(
        some.sampled_from(VARIABLES),
        some.sampled_from(VALUES) | some.sampled_from(HOSTILE),
        max_size=4,
    )
    match draw(some.sampled_from(["ini", "yml", "json"])):
        case "ini":
            lines = []
            for _ in range(draw(some.integers(1, 8))):
                section = draw(some.sampled_from(["", "", "", ":vars", ":children", ":none"]))
                said = draw(variables)
                pairs = [f"{name}={value}" for name, value in said.items()]
                lines += draw(
                    some.sampled_from(
                        [[f"[{draw(NAMES)}{section}]"], [" ".join([draw(members), *pairs])], pairs]
                    )
                )
            return "t.ini", _encoded(draw, "\n".join(lines) + "\n")
        case "yml":
            hosts = [f"    {_yaml(draw(members))}: {{{_flow(draw(variables))}}}" for _ in range(3)]
            tags = draw(some.sampled_from(YAML_ENDS))
            return "t.yml", _encoded(draw, "all:\n  hosts:\n" + "\n".join(hosts) + "\n" + tags)
    named_hosts = {draw(members): draw(variables | _toml_values()) for _ in range(3)}
    group = {"hosts": named_hosts, "vars": draw(variables | _toml_values()), "children": {}}
    named = {"all": {"children": {draw(NAMES): group, "db": draw(some.just(group) | JUNK)}}}
    return "t.json", _encoded(draw, json.dumps(_encodable(named), default=str))


JUNK: SearchStrategy[Any] = some.sampled_from(
    [None, [], "x", 1, {"hosts": ["db01"]}, {"children": {"all": {}}}]
)
YAML_ENDS = (
    "  vars: {a: !vault x, b: !unsafe '{{ 1 }}', c: 2026-11-24, d: !!binary aGk=, e: ~, 1: 2}\n",
    "  vars: {a: !!python/object/apply:os.system [id]}\n",
    "  vars: {a: !!set {x, y}, b: .nan, c: .inf, d: 0o17, e: 1:30, f: !none x, ? [g] : h}\n",
    "  vars:\n    a: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162\n",
    "  vars: &v {a: *v}\n",
    "  vars: {a: &x [1], b: [*x, *x]}\n",
    "  children:\n    up: {children: {down: {hosts: {db09: }}}}\n",
    "  children: {ring: {children: {ring: }}}\n",
    "  <<: {vars: {a: 1}}\n",
    "---\nall: {}\n",
    "",
)


def _yaml(text: str) -> str:
    """A text in quotes, as YAML has them."""
    return json.dumps(_encodable(text))


def _flow(said: Mapping[str, str]) -> str:
    """Variables of a host; a value that begins with a tag keeps it."""
    pairs = ((n, v if v.startswith("!") else _yaml(v)) for n, v in said.items())
    return ", ".join(f"{_yaml(name)}: {value}" for name, value in pairs)


def _encoded(draw: Any, text: str) -> bytes:
    """The bytes of a file, seldom such that they can't be read."""
    content = text.encode("utf-8", "surrogateescape")
    match draw(some.sampled_from(["none"] * 12 + ["bom", "utf-16", "nul", "latin", "crlf", "cut"])):
        case "bom":
            return b"\xef\xbb\xbf" + content
        case "utf-16":
            return text.encode("utf-16", "replace")
        case "nul":
            return content + b"\0\n"
        case "latin":
            return content + b"\xe9\n"
        case "crlf":
            return content.replace(b"\n", b"\r\n")
        case "cut":
            return content[: len(content) // 2]
    return content
