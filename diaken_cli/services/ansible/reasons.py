"""Why a task failed, in one line or a few, from Ansible's result."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from diaken_cli.services.ansible import ssh
from diaken_cli.units import shortened

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


def reason(
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
        line = shlex.join(clean(str(each)) for each in command)
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
    if found := _NO_INTERPRETER.search(str(details.get("msg") or "")):
        return found[1]
    if details.get("rc") != _NOT_FOUND:
        return None
    streams = (str(details.get(each) or "") for each in ("module_stderr", "module_stdout"))
    found = next((found for each in streams if (found := _SHELL_MISSES.search(each))), None)
    return found and found[1]


def _last_lines(details: Mapping[str, Any]) -> str | None:
    """The last that a program said, on standard error where it said something there."""
    for stream in ("stderr", "module_stderr", "stdout", "module_stdout"):
        lines = str(details.get(stream) or "").splitlines()
        said = [line.strip() for line in lines if line.strip() and not _OF_SSH.match(line)]
        if said:
            return "; ".join(said[-_LAST_LINES:])
    return None


_ALWAYS = "_ansible_verbose_always"  # set by a module whose result is meant to be read
_INTERNAL = ("changed", "failed", "skipped", "invocation", "warnings", "deprecations", "results")
_NOTHING_TO_SAY = "All assertions passed"  # of an `assert` without a `success_msg`
_DEEPEST = 20  # levels of nested values
_TWICE = {"stdout_lines": "stdout", "stderr_lines": "stderr"}  # the same text, line by line
_COMMAND = "cmd"  # of a result: the command as a text, or as a list of its words


def printed(details: Mapping[str, Any], clean: Callable[[str], str]) -> str | None:
    """The text of a result that its playbook wants to be seen, None for all others.

    `clean` hides secrets; it gets each string by itself, before any is indented. What `no_log`
    hides has no such result.
    """
    if not details.get(_ALWAYS) or "censored" in details:
        return None
    if "msg" in details:
        message = details["msg"]
        return None if message == _NOTHING_TO_SAY else "\n".join(as_lines(message, clean))
    shown = {
        key: value
        for key, value in details.items()
        if key not in _INTERNAL and not key.startswith("_ansible")
    }
    loop_variable = shown.pop("ansible_loop_var", None)
    if len(shown) > 1:  # else the variable of the loop is the one that was asked for
        shown.pop(loop_variable, None)
    return "\n".join(as_lines(shown, clean)) or None


def as_lines(value: Any, clean: Callable[[str], str], depth: int = 0) -> list[str]:
    """A value as lines that people read: a text as it is, a mapping as `key: value`.

    A list of texts has a line each, below its key; that of a command is one line of the shell.

    `clean` is for each text in it; `depth` is how deep in another value this one is.
    """
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        return [
            line
            for key, each in value.items()
            if not _is_twin(key, value)
            for line in _entry(str(key), each, clean, depth)
        ]
    if isinstance(value, list) and value and depth < _DEEPEST:
        if depth == 0 and all(map(_is_plain, value)):  # a message of several lines
            return [line for each in value for line in _text(each, clean).splitlines() or [""]]
        items = [as_lines(each, clean, depth + 1) or [""] for each in value]
        return [line for first, *rest in items for line in (f"- {first}", *_indented(rest))]
    return _text(value, clean).splitlines()


def _entry(key: str, value: Any, clean: Callable[[str], str], depth: int) -> list[str]:
    key = clean(key)
    if isinstance(value, list) and value and all(map(_is_plain, value)):
        texts = [_text(each, clean) for each in value]
        if key == _COMMAND:
            return _of_text(key, shlex.join(texts))
        if all("\n" not in text for text in texts):
            if len(texts) > 1 and any(isinstance(each, str) for each in value):
                return [f"{key}:", *_indented(texts)]  # they may be the lines of an output
            return [f"{key}: {', '.join(texts)}".rstrip()]
    if isinstance(value, Mapping | list) and value:
        return [f"{key}:", *_indented(as_lines(value, clean, depth + 1))]
    return _of_text(key, _text(value, clean))


def _of_text(key: str, text: str) -> list[str]:
    lines = text.splitlines()
    if len(lines) < 2:
        return [f"{key}: {''.join(lines)}".rstrip()]
    return [f"{key}:", *_indented(lines)]


def _text(value: Any, clean: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return clean(str(value))


def _is_plain(value: Any) -> bool:
    return not isinstance(value, Mapping | list)


def _is_twin(key: Any, value: Mapping[Any, Any]) -> bool:
    text = value.get(_TWICE.get(key))
    return isinstance(text, str) and text.splitlines() == value[key]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]
