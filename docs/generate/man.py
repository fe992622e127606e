"""Man pages, one for diaken and one for each group of commands, as roff: see man-pages(7)."""

import re
from collections.abc import Iterable, Iterator

from docs.generate import tree
from docs.generate.tree import ENVIRONMENT_VARIABLES


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    groups = list(tree.groups())
    found = {"diaken.1": _overview(groups)}
    found |= {f"diaken-{group.name}.1": _group(group, groups) for group in groups}
    return found


def _overview(groups: list[tree.Group]) -> str:
    lines = [*_begin("diaken", tree.description())]
    lines += [".SH SYNOPSIS", r"\fBdiaken\fR \fIGROUP COMMAND\fR [\fIOPTIONS\fR]"]
    lines += [".SH COMMANDS"]
    for group in groups:
        lines += [".TP", rf"\fBdiaken\-{_escaped(group.name)}\fR(1)", _escaped(group.help)]
    lines += [".SH OPTIONS", "Every command takes these, after its own:"]
    lines += _parameters(tree.options_of_every_command())
    lines += [".SH EXIT STATUS", *_tagged(EXIT_STATUSES)]
    lines += [".SH ENVIRONMENT", *_tagged(ENVIRONMENT_VARIABLES)]
    lines += [".SH FILES", *_tagged(FILES)]
    return _page(lines)


def _group(group: tree.Group, groups: list[tree.Group]) -> str:
    lines = [*_begin(f"diaken-{group.name}", group.help), ".SH SYNOPSIS"]
    for command in group.commands:
        lines += [rf"\fB{_escaped(command.path)}\fR {_escaped(_rest(command))}", ".br"]
    lines += [".SH COMMANDS"]
    for command in group.commands:
        lines += [f'.SS "{_escaped(command.path)} {_escaped(_rest(command))}"']
        lines += [_escaped(command.summary)]
        for detail in command.details:
            lines += [".PP", _escaped(detail)]
        lines += _parameters(argument for argument in command.arguments if argument.help)
        for heading, options in command.options.items():
            if heading != tree.OWN:
                lines += [".PP", rf"\fI{_escaped(heading)}\fR"]
            lines += _parameters(options)
        if command.examples:
            lines += [".PP", "Examples:", ".PP", ".RS 4", ".nf"]
            lines += [*(_escaped(example) for example in command.examples), ".fi", ".RE"]
    others = [each.name for each in groups if each.name != group.name]
    lines += [".SH SEE ALSO", r"\fBdiaken\fR(1), "]
    lines += [", ".join(rf"\fBdiaken\-{_escaped(name)}\fR(1)" for name in others)]
    return _page(lines)


def _begin(name: str, said: str) -> Iterator[str]:
    yield '.\\" Made from the code by `python -m docs.generate`: edit the code.'
    yield f'.TH {_escaped(name.upper())} 1 "" diaken "User Commands"'
    yield ".SH NAME"
    yield rf"{_escaped(name)} \- {_escaped(said.splitlines()[0].rstrip('.'))}"


def _rest(command: tree.Command) -> str:
    return " ".join([*(argument.written for argument in command.arguments), "[OPTIONS]"])


def _parameters(parameters: Iterable[tree.Parameter]) -> Iterator[str]:
    for parameter in parameters:
        yield from (
            ".TP",
            rf"\fB{_escaped(parameter.written)}\fR",
            _escaped(parameter.help) or "\\&",
        )


def _tagged(said: dict[str, str]) -> Iterator[str]:
    for tag, text in said.items():
        yield from (".TP", rf"\fB{_escaped(tag)}\fR", _escaped(text))


def _escaped(text: str) -> str:
    """Text that roff takes literally: no escape, no request at the beginning of a line."""
    plain = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    plain = re.sub(r"[^\x00-\x7f]", lambda found: rf"\[u{ord(found[0]):04X}]", plain)
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


def _page(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


EXIT_STATUSES = {
    "0": "Done, or nothing to do.",
    "1": "The operation failed.",
    "2": "Usage: a missing, malformed or contradictory argument.",
    "3": "Partly done: some hosts, snapshots or tasks failed.",
    "10": "Configuration: the file, the database, a secret, a permission.",
    "11": "The thing the command is about does not exist.",
    "12": "Conflict: it already exists, is in use, depended on, inactive, or locked.",
    "13": "vSphere refused or can't be reached, before anything was changed.",
    "14": "Ansible could not start the playbook.",
    "130": "Stopped by Ctrl-C, SIGTERM or SIGHUP.",
}
FILES = {
    "~/.config/diaken/config.toml, /etc/diaken/config.toml": (
        "The config file: the first of these that exists is read, and no other."
    ),
    "~/.local/share/diaken/diaken.db, /var/lib/diaken/diaken.db": "The database.",
    "/etc/hosts": "One block of it has the names of the inventory's active hosts.",
    "/etc/cron.d/diaken": "What `diaken scheduler install` writes.",
}
