"""What a playbook prints on purpose: messages and variables of `debug`, results like them."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

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
            for key, member in value.items()
            if not _is_twin(key, value)
            for line in _entry(str(key), member, clean, depth)
        ]
    if isinstance(value, list) and value and depth < _DEEPEST:
        if depth == 0 and all(map(_is_plain, value)):  # a message of several lines
            return [line for item in value for line in _text(item, clean).splitlines() or [""]]
        items = [as_lines(item, clean, depth + 1) or [""] for item in value]
        return [line for first, *rest in items for line in (f"- {first}", *_indented(rest))]
    return _text(value, clean).splitlines()


def _entry(key: str, value: Any, clean: Callable[[str], str], depth: int) -> list[str]:
    key = clean(key)
    if isinstance(value, list) and value and all(map(_is_plain, value)):
        texts = [_text(item, clean) for item in value]
        if key == _COMMAND:
            return _of_text(key, shlex.join(texts))
        if all("\n" not in text for text in texts):
            if len(texts) > 1 and any(isinstance(item, str) for item in value):
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
