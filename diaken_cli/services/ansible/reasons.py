"""Why a task failed, or Ansible itself: a line or a few, from a result or from what it printed."""

import re
import shlex
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from diaken_cli.services.ansible import ssh
from diaken_cli.units import shortened

MESSAGE_LIMIT = 2000  # characters
ERROR_SIGNS = ("[ERROR]: ", "ERROR! ")  # since ansible-core 2.19, and before
_SOURCE = re.compile(r"^\s*(?:\d+ .*|\d+|\^ (?:column|columns) .*|\(source not shown.*)$")
# A place in a file, since ansible-core 2.19, and before.
_PLACE = re.compile(
    r"^Origin: (\S.*)$|^The error appears to be in '(.+)': line (\d+), column (\d+)", re.MULTILINE
)
_NOT_YAML = re.compile(  # before ansible-core 2.19
    r"^We were unable to read either as JSON nor YAML.*\nJSON: .*\n\s*Syntax Error while loading"
    r" YAML\.\s*"
)
_CAUSED_BY = "<<< caused by >>>"
_TRACEBACK = re.compile(r"(?i:the full traceback was)|Traceback \(most recent call last\)")

_BY_CODE = "non-zero return code"
_LAST_LINES = 3  # of a command that failed
_MOST_OF_A_COMMAND = 120  # characters, of one that said nothing
# By ssh itself, among what `raw` gives of the program.
_OF_SSH = re.compile(
    r"(?:Shared c|C)onnection to \S+ closed\.|Warning: Permanently added .* to the list of known"
)
_NOT_FOUND = 127  # a shell's status for a program that is not there
_NO_INTERPRETER = re.compile(r"module interpreter '([^']+)' was not found")
# By dash, bash, busybox and sudo.
_SHELL_MISSES = re.compile(
    r"(?:^|: )['\u2018]?(/[^\s:'\u2019]+)['\u2019]?:"
    r" (?:not found|No such file or directory|command not found)",
    re.MULTILINE,
)


def task_failure_reason(
    host: str,
    details: Mapping[str, Any],
    delegated_to: str | None = None,
    clean: Callable[[str], str] = str,
) -> str:
    """Why a task failed on a host; of one that was delegated it says where.

    `clean` hides secrets: also in a command, before its words are quoted and cut.
    """
    if "censored" in details:
        return clean(str(details["censored"]))  # a module may say so itself
    delegated = delegated_to if delegated_to != host else None
    where = f"on {delegated}: " if delegated else ""
    return clean(where + _cause(delegated or host, details, clean))


def _cause(host: str, details: Mapping[str, Any], clean: Callable[[str], str]) -> str:
    modules = details.get("failed_modules")
    if isinstance(modules, Mapping) and modules:  # of gathering facts
        first = next(iter(modules.values()))
        if isinstance(first, Mapping):
            return _cause(host, first, clean)
    if interpreter := _missing_interpreter(details):
        return f"the Python interpreter {interpreter} was not found on the host"
    message = _message(details)
    if message.startswith(ssh.FROM_ANSIBLE):
        return ssh.explain(host, message)
    if message == "The command exited with a non-zero return code.":  # since ansible-core 2.21
        message = _BY_CODE
    if "rc" in details and (last := _last_lines(details)):
        return f"{message} ({details['rc']}): {last}"
    if message != _BY_CODE or "rc" not in details:
        return message
    command = _command(details.get("cmd"), clean)
    return f"{message} ({details['rc']})" + (f" of: {command}" if command else "")


def _command(command: Any, clean: Callable[[str], str]) -> str:
    """What was run, in one line, as far as it is short."""
    if isinstance(command, list):
        line = shlex.join(clean(str(word)) for word in command)
    else:
        line = clean(str(command or ""))
    return shortened(" ".join(line.split()), _MOST_OF_A_COMMAND)


def _message(details: Mapping[str, Any]) -> str:
    message = str(details.get("msg") or "")
    if not message or message.endswith("Unknown error."):  # so it is with `include_vars`
        message = str(details.get("message") or message or details.get("reason") or "")
    return message.removeprefix("Task failed: ") or "no reason given"


def _missing_interpreter(details: Mapping[str, Any]) -> str | None:
    """The Python that is not there, where that is why a module could not be run."""
    if match := _NO_INTERPRETER.search(str(details.get("msg") or "")):
        return match[1]
    if details.get("rc") != _NOT_FOUND:
        return None
    streams = (str(details.get(name) or "") for name in ("module_stderr", "module_stdout"))
    match = next((match for stream in streams if (match := _SHELL_MISSES.search(stream))), None)
    return match and match[1]


def _last_lines(details: Mapping[str, Any]) -> str | None:
    """The last that a program said, on standard error where it said something there."""
    for stream in ("stderr", "module_stderr", "stdout", "module_stdout"):
        lines = str(details.get(stream) or "").splitlines()
        printed = [line.strip() for line in lines if line.strip() and not _OF_SSH.match(line)]
        if printed:
            return "; ".join(printed[-_LAST_LINES:])
    return None


def ansible_failure_reason(printed: str) -> str:
    """Why Ansible itself did not start, or did not go on, from the text that it printed.

    One line where it names a place in a file. Warnings, quoted source and tracebacks are left out.
    """
    lines = [line for line in printed.splitlines() if line.strip() and not _SOURCE.match(line)]
    first = next((n for n, line in enumerate(lines) if line.startswith(ERROR_SIGNS)), 0)
    text = "\n".join(takewhile(lambda line: not _TRACEBACK.match(line), lines[first:]))
    for sign in ERROR_SIGNS:
        text = text.removeprefix(sign)
    return shortened(_with_place(text.strip()), MESSAGE_LIMIT)


def _with_place(text: str) -> str:
    """`YAML parsing failed: why (FILE:LINE:COLUMN)`, as far as a place is named.

    What follows it is source, or advice with an example. Of what an error was caused by, which
    comes after that, all is told in the same way.
    """
    parts: list[str] = []
    for part in _once(text.split(_CAUSED_BY)):
        place = _PLACE.search(part)
        if place is None:
            parts.append(part.strip())
            continue
        why = _NOT_YAML.sub("YAML parsing failed: ", part[: place.start()])
        parts.append(f"{' '.join(why.split())} ({':'.join(filter(None, place.groups()))})")
    return "; caused by: ".join([*(part.removesuffix(".") for part in parts[:-1]), parts[-1]])


def _once(parts: list[str]) -> list[str]:
    """Without Ansible's summary of the whole chain, which it puts in front of the first part."""
    summary, between, rest = parts[0].partition("\n")
    repeated = len(parts) > 1 and summary.startswith(rest.strip().split("\n")[0].rstrip("."))
    return [rest, *parts[1:]] if between and rest.strip() and repeated else parts
