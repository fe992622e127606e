"""Console blocks of a page: the commands in them, what they printed, and how both compare.

A block begins with ```console and holds commands after `$ `, each with what it printed below it. A
command without any is only to succeed. "…" alone in a line stands for any lines. A block that says
```console exit=12 has a last command that ends so.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PROMPT, MORE, ANY = "$ ", "> ", "…"
_OPENED = re.compile(r"```console(?: exit=(?P<status>[0-9]+))?\n")
# What is another each time: it is compared by its shape.
_VARIES = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"), "MOMENT"),
    (re.compile(r"\([0-9]+[KMG]\)"), "(SIZE)"),
    (re.compile(r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}\b"), "DATE"),
    (re.compile(r"\b[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?Z?\b"), "TIME"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? (ms|s|min|h|d)\b( [0-9]+ (s|min|h))?"), "DURATION"),
    (re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?=DATE)"), ""),
    (re.compile(r"(?<=TIME )[+-][0-9]{4}\b"), "OFFSET"),
    (re.compile(r'("(?:duration_seconds|age_hours|pid)": )[0-9.]+'), r"\1N"),
    (re.compile(r'(?<="node": )"[^"]*"'), "NODE"),
    (re.compile(r"\b(snapshot|vm|task)-[0-9]+\b"), r"\1-N"),
    (re.compile(r"[━─]{8,}"), "BAR"),
    (re.compile(r'(?<=")/[^"]+(?=/playbooks/\w+\.yml")'), "PACKAGE"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Command:
    """A command of a page, the line that it begins in, and what the page says it prints."""

    text: str
    line: int
    printed: str
    status: int


@dataclass(frozen=True)
class Block:
    """A console block: where its text begins and ends in the page, and its commands."""

    begin: int
    end: int
    commands: tuple[Command, ...]


def blocks(page: str) -> Iterator[Block]:
    """The console blocks of a page, in their order. Raises ValueError for one without an end."""
    for opened in _OPENED.finditer(page):
        end = page.find("\n```", opened.end() - 1)
        if end < 0:
            raise ValueError(f"a console block has no end: {page[opened.start() :][:60]!r}")
        line = page.count("\n", 0, opened.end()) + 1
        body = page[opened.end() : end].split("\n")
        yield Block(opened.end(), end, tuple(_commands(body, line, int(opened["status"] or 0))))


def _commands(body: Sequence[str], line: int, status: int) -> list[Command]:
    found: list[tuple[list[str], int, list[str]]] = []
    for number, text in enumerate(body, line):
        if text.startswith(PROMPT):
            found.append(([text.removeprefix(PROMPT)], number, []))
        elif text.startswith(MORE) and found and not found[-1][2]:
            found[-1][0].append(text.removeprefix(MORE))
        elif found:
            found[-1][2].append(text)
        else:
            raise ValueError(f"line {number}: a console block begins with a command: {text!r}")
    last = len(found) - 1
    return [
        Command("\n".join(words), at, "\n".join(printed), status if number == last else 0)
        for number, (words, at, printed) in enumerate(found)
    ]


def agrees(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, but for times, numbers and what it leaves out."""
    lines = shown.strip("\n").split("\n")
    if ANY not in (line.strip() for line in lines):
        return _in_order(_shape(shown)) == _in_order(_shape(printed))
    parts = [re.escape(_shape("\n".join(part))) for part in _between_dots(lines)]
    return re.fullmatch(r"(?:\n|.)*?".join(parts), _shape(printed)) is not None


def _between_dots(lines: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for line in lines:
        if line.strip() == ANY:
            yield part
            part = []
        else:
            part.append(line)
    yield part


def _shape(text: str) -> str:
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _in_order(text: str) -> list[str]:
    """Its lines; hosts work at the same time, so lines with a time come in any order."""
    found: list[str] = []
    for told, group in itertools.groupby(text.split("\n"), lambda line: line.startswith("TIME ")):
        lines = list(group)
        found += sorted(lines) if told else lines
    return found
