"""Messages folded for a terminal between words; a command in them can still be copied.

A command that does not fit in a line begins one of its own; one that is longer than a line goes on
in the next after a backslash, as shells have it. What can't be told from prose is folded as prose.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

OF_COMMAND = 2  # columns before a command that begins a line
OF_CONTINUATION = 4
BACKSLASH = " \\"
GROUPS = (
    *("deploy", "run", "schedule", "scheduler", "snapshots", "hosts", "groups", "environments"),
    *("vcenters", "playbooks", "settings", "history", "inventory", "config", "database", "doctor"),
)
MOST_WORDS = 4  # of a command of diaken without its options: `run host web01 update`
_SHELL_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"`;,.:]|[,.:](?!\s|$))++(?!['\"])"
_ARGUMENT = rf" (?!-){_SHELL_WORD}"
_OPTION = rf" -{_SHELL_WORD}(?:{_ARGUMENT})?+"  # with what is most likely its value
_DIAKEN = rf"(?:sudo (?:-u \S+ )?)?diaken(?= --?\w| (?:{'|'.join(GROUPS)})(?![\w-]))"
# its words and options in any order, where nothing follows; else its words, then its options
_TO_THE_END = rf"(?:(?:{_OPTION})*+{_ARGUMENT}){{0,{MOST_WORDS}}}+(?:{_OPTION})*+(?=[`;,.:]|$)"
_BEFORE_PROSE = rf"(?:{_ARGUMENT}){{0,{MOST_WORDS}}}+(?:{_OPTION})*+"
_SSH = rf"ssh (?:(?:-\w {_SHELL_WORD} )+|\S+@){_SHELL_WORD}"
_COMMAND = re.compile(
    rf"(?:^|(?<=: )|`)(?:{_DIAKEN}(?:{_TO_THE_END}|{_BEFORE_PROSE})|{_SSH})[`;,.:]*"
)
_COMMAND_WORD = re.compile(rf"`?(?:-[\w-]+ (?!-))?{_SHELL_WORD}[`;,.:]*")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class _Unit:
    """What no line is broken in: a word, or a command that is no longer than a line.

    `indent`: columns before it where it begins a line. Of a longer command each word is one: the
    first `begins_line`, the others are `continued`, and all but the last `goes_on`.
    """

    begin: int
    end: int
    indent: int
    begins_line: bool = False
    continued: bool = False
    goes_on: bool = False


def fold_message(text: Text, console: "Console") -> Text:
    """The text folded for that terminal; as it is where no terminal limits its lines."""
    if console.soft_wrap:
        return text
    lines = text.split(allow_blank=True)
    return Text("\n").join(part for line in lines for part in _folded(line, console.width))


def _folded(line: Text, width: int) -> Iterator[Text]:
    if line.cell_len <= width:
        yield line
        return
    begin = end = indent = 0
    for unit in _units(line.plain, width):
        room = width - indent - (len(BACKSLASH) if unit.goes_on else 0)
        too_long = cell_len(line.plain[begin : unit.end]) > room
        if end > begin and (unit.begins_line or too_long):
            after = BACKSLASH if unit.continued else ""
            yield Text(" " * indent) + line[begin:end] + Text(after)
            begin, indent = unit.begin, unit.indent
        end = unit.end
    yield Text(" " * indent) + line[begin:end]


def _units(plain: str, width: int) -> Iterator[_Unit]:
    """The units of a line; a command's last one has the punctuation that follows it."""
    indent = len(plain) - len(plain.lstrip())
    at = 0
    for command in _COMMAND.finditer(plain):
        words = _WORD.finditer(plain, at, command.start())
        yield from (_Unit(*word.span(), indent) for word in words)
        if cell_len(command[0]) <= width - OF_COMMAND:
            yield _Unit(*command.span(), OF_COMMAND)
        else:
            yield from _words_of_command(plain, *command.span())
        at = command.end()
    yield from (_Unit(*word.span(), indent) for word in _WORD.finditer(plain, at))


def _words_of_command(plain: str, begin: int, end: int) -> Iterator[_Unit]:
    first, *others = (word.span() for word in _COMMAND_WORD.finditer(plain, begin, end))
    yield _Unit(*first, OF_COMMAND, begins_line=True, goes_on=True)
    for span in others:
        yield _Unit(*span, OF_CONTINUATION, continued=True, goes_on=span is not others[-1])
