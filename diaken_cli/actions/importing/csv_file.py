"""A table with a header row, as spreadsheets save it: commas, semicolons or tabs; UTF-8."""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diaken_cli import bounds, files
from diaken_cli.actions.importing.candidates import Candidate, Source
from diaken_cli.actions.validate import name_refusal
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.inventory_options import HostOptions
from diaken_cli.units import format_size

COLUMNS = (
    *(
        "name",
        "ip",
        "environment",
        "group",
        "groups",
        "user",
        "port",
        "key",
        "python",
        "description",
    ),
    *("vcenter", "vm_uuid", "active"),
)
REQUIRED = ("name", "ip")
VARIABLE = "var."
OPTION = "--csv"
STANDARD_INPUT = "-"
LABELS = {f"--{column.replace('_', '-')}": f"column {column}" for column in COLUMNS} | {
    "NAME": "column name"
}
_SEPARATOR = re.compile(r"\"?sep=([^\"\r\n])\"?,*", re.IGNORECASE)
_AHEAD = 64 * bounds.KB  # characters, in which the header is looked for
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read_csv(path: Path) -> Source:
    """The hosts of a file, or of standard input: `-`. Raises InvalidInput for no valid table."""
    return parse(_text(path), str(path))


def parse(text: str, path: str) -> Source:
    """The hosts of a table: a row that has a mistake is a candidate with it."""
    lines = _lines(text, path)
    try:
        number, header = next(lines)
    except StopIteration:
        raise _refused(path, "is empty: a header row with at least name and ip is needed") from None
    columns = _columns(header, path, number)
    candidates = tuple(
        _candidate(number, columns, cells)
        for number, cells in itertools.islice(lines, bounds.IMPORTED_HOSTS)
    )
    if next(lines, None) is not None:
        raise _refused(path, f"has more than {bounds.IMPORTED_HOSTS} hosts: import them in parts")
    return Source(candidates, LABELS)


def _text(path: Path) -> str:
    try:
        if str(path) == STANDARD_INPUT:
            content = files.standard_input(bounds.CSV_FILE, bounds.INPUT_SECONDS)
        else:
            content = files.read(path, bounds.CSV_FILE)
        _check_lines(content, str(path))
        if content.startswith(_UTF16):
            raise _refused(str(path), "is UTF-16; save it as CSV UTF-8")
        return content.decode("utf-8-sig")
    except OSError as fault:
        raise _refused(str(path), f"can't be read: {files.reason(fault)}") from fault
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        raise _refused(str(path), f"line {line} is not UTF-8; save it as CSV UTF-8") from fault


def _check_lines(content: bytes, path: str) -> None:
    """Refuse a line of more than twice `CSV_LINE`, and at times one of more than once."""
    for begin in range(0, len(content) - bounds.CSV_LINE, bounds.CSV_LINE):
        if content.find(b"\n", begin, begin + bounds.CSV_LINE) < 0:
            line = content.count(b"\n", 0, begin) + 1
            raise _refused(path, f"line {line} is longer than {format_size(bounds.CSV_LINE)}")


def _lines(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the number of the line on which it begins."""
    first = next((line for line in text[:_AHEAD].splitlines() if line.strip()), "")
    separator = _SEPARATOR.fullmatch(first)
    delimiter = separator[1] if separator else max(",;\t", key=first.count)
    lines = io.StringIO(text, newline="")
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    last_line = 0
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as fault:
            raise _refused(path, f"line {last_line + 1} is not valid CSV: {fault}") from fault
        filled = any(cell.strip() for cell in cells)
        if separator and filled:
            separator = None  # that line was for Excel alone
        elif filled:
            yield last_line + 1, [cell.strip() for cell in cells]
        last_line = rows.line_num


def _columns(header: Sequence[str], path: str, number: int) -> list[str]:
    """The names of the columns. Raises InvalidInput with all that is wrong with them."""
    if len(header) > bounds.CSV_COLUMNS:
        raise _refused(path, f"line {number} has more than {bounds.CSV_COLUMNS} columns")
    names = [
        f"{VARIABLE}{title[len(VARIABLE) :]}"
        if title.lower().startswith(VARIABLE)
        else title.lower()
        for title in header
    ]
    problems = [f"column {column} is missing" for column in REQUIRED if column not in names]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            problems.append(f"column {name!r} appears {names.count(name)} times")
        if name.startswith(VARIABLE):
            if (reason := name_refusal(name[len(VARIABLE) :])) is not None:
                problems.append(f"column {name!r} {reason}")
        elif name not in COLUMNS:
            known = ", ".join(COLUMNS)
            problems.append(f"unknown column {name!r}; known: {known}, {VARIABLE}NAME")
    if problems:
        raise InvalidInput(
            [Mistake(OPTION, path, f"line {number}: {problem}") for problem in problems]
        )
    return names


def _candidate(number: int, columns: Sequence[str], cells: Sequence[str]) -> Candidate:
    origin = f"line {number}"
    if len(cells) != len(columns):
        problem = f"{origin} has {len(cells)} columns, the header has {len(columns)}"
        return Candidate(origin, None, HostOptions(), mistakes=(problem,), unreadable=True)
    row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    mistakes = []
    active = TRUTH.get(row.get("active", "yes").lower())
    if active is None:
        mistakes.append(f"{origin}, column active: must be yes or no")
    for name, cell in row.items():
        if name.startswith(VARIABLE) and ("{{" in cell or "{%" in cell):
            mistakes.append(
                f"{origin}, column {name}: is a template, which Ansible would evaluate;"
                " set it with: diaken hosts set --var"
            )
    return Candidate(
        origin,
        row.get("name"),
        _options(row, active),
        {n[len(VARIABLE) :]: cell for n, cell in row.items() if n.startswith(VARIABLE)},
        groups=_groups(row),
        mistakes=tuple(mistakes),
    )


def _groups(row: Mapping[str, str]) -> tuple[str, ...]:
    """The groups of a row, once each: that of column `group` first, then those of `groups`."""
    other_groups = re.split(r"[\s,;]+", row.get("groups", ""))
    return tuple(dict.fromkeys(group for group in (row.get("group"), *other_groups) if group))


def _options(row: Mapping[str, str], active: bool | None) -> HostOptions:
    others = ("name", "active", "group", "groups")
    texts: dict[str, Any] = {name: row.get(name) for name in COLUMNS if name not in others}
    return HostOptions(**texts, active=active if "active" in row else None)


def _refused(path: str, message: str) -> InvalidInput:
    return InvalidInput([Mistake(OPTION, path, message)])
