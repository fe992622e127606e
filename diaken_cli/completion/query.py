"""Parses the words before the cursor by the table of commands: what is to be completed. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing costs as much as the rest of the answer
    from typing import Any

FLAG = "flag"


class Query:
    """What is to be completed: names of a `kind`, or one of the `choices` with their meaning.

    `prefix` stands before it in the same word (`--group=`), `values` are the options and arguments
    that were typed already, by kind, and `config` is the config file of `--config`.
    """

    def __init__(self, incomplete: str) -> None:
        self.incomplete = incomplete
        self.prefix = ""
        self.kind: str | None = None
        self.choices: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.config: str | None = None
        self.defaults: dict[str, list[str]] = {}

    def expect(self, kind: Any) -> Query:
        """Expect a value of that kind: a name, one of a list, or any text. Returns itself."""
        if isinstance(kind, list):
            self.choices = dict.fromkeys(kind, "")
        elif kind is not None:
            self.kind = kind
        return self


def parse_query(words: list[str], table: dict[str, Any]) -> Query:
    """What may stand in the place of the last word."""
    *before, incomplete = words or [""]
    query = Query(incomplete)
    query.defaults = table["names"]
    command, words_after = _command(before, table)
    if command is None:
        query.choices = _commands(before, table)
        if incomplete.startswith("-"):
            query.choices = {name: help_text for name, (_, help_text) in table["root"].items()}
        return query
    options: dict[str, Any] = {**command["options"], **table["common"]}
    pending, position, only_arguments = _walk(words_after, options, command["arguments"], query)
    if pending is not None:
        return query.expect(pending[0])
    if incomplete.startswith("-") and not only_arguments:
        name, equals, value = incomplete.partition("=")
        if equals:
            query.prefix, query.incomplete = name + equals, value
            return query.expect(options.get(name, [None])[0])
        query.choices = {option: help_text for option, (_, help_text) in options.items()}
        return query
    arguments = command["arguments"]
    return query.expect(arguments[position] if position < len(arguments) else None)


def _command(before: list[str], table: dict[str, Any]) -> tuple[Any, list[str]]:
    """The command that was typed, and the words after it."""
    for length in (2, 1):
        name = " ".join(before[:length])
        if len(before) >= length and name in table["commands"]:
            return table["commands"][name], before[length:]
    return None, []


def _commands(before: list[str], table: dict[str, Any]) -> dict[str, str]:
    """The groups, or the commands of a group."""
    if not before:
        return dict(table["groups"])
    start = f"{before[0]} "
    return {
        name.removeprefix(start): command["help"]
        for name, command in table["commands"].items()
        if len(before) == 1 and name.startswith(start)
    }


def _walk(
    words: list[str], options: dict[str, Any], arguments: list[Any], query: Query
) -> tuple[Any, int, bool]:
    """Read the words of a command.

    Returns the option that still lacks its value, the number of arguments, and whether `--` came.
    """
    pending, position, only_arguments = None, 0, False
    for word in words:
        if pending is not None:
            _keep_value(pending, word, query)
            pending = None
        elif word == "--" and not only_arguments:
            only_arguments = True
        elif word.startswith("-") and word != "-" and not only_arguments:
            name, equals, value = word.partition("=")
            option = options.get(name)
            if option is None or option[0] == FLAG:
                continue
            pending = (option[0], name)
            if equals:
                _keep_value(pending, value, query)
                pending = None
        else:
            if position < len(arguments) and isinstance(arguments[position], str):
                query.values.setdefault(arguments[position], word)
            position += 1
    return pending, position, only_arguments


def _keep_value(option: tuple[Any, str], value: str, query: Query) -> None:
    kind, name = option
    if name == "--config":
        query.config = value
    elif isinstance(kind, str):
        query.values[kind] = value
