"""Answers one query of a shell: candidates for the words that were typed."""
# ruff: noqa: PTH118, PTH120, PTH123  pathlib would cost a third of the answer's time

import os
import sys

from diaken_cli.completion.query import Query, parse_query

SECONDS = 2.0
"""For a database on a file system that hangs, or a thousand playbooks: then there are no names."""


def main(shell: str, arguments: list[str]) -> int:
    """Print the candidates for the last of `arguments`; always succeeds."""
    words = (
        bash_words(arguments)
        if shell == "bash"
        else [_unquoted(argument) for argument in arguments]
    )
    query = parse_query(words, _table())
    if query.kind == "file":
        sys.stdout.write(":files\n")
        return 0
    matching = [
        candidate for candidate in candidates(query) if candidate[0].startswith(query.incomplete)
    ]
    lines = [_line(shell, arguments, query, *candidate) for candidate in matching]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def candidates(query: Query) -> list[tuple[str, str]]:
    """The candidates, each with its meaning."""
    if query.kind is None:
        return list(query.choices.items())
    return _names_in_time(query)


def bash_words(words: list[str]) -> list[str]:
    """COMP_WORDS as they were typed: bash takes `--option=value` and `a:b` apart."""
    joined: list[str] = []
    glue = False
    for word in words:
        is_break = word != "" and not word.strip("=:")
        if joined and (is_break or glue):
            joined[-1] += word
        else:
            joined.append(word)
        glue = is_break
    return [_unquoted(word) for word in joined]


def _line(shell: str, arguments: list[str], query: Query, value: str, meaning: str) -> str:
    if shell != "bash":
        plain = " ".join(meaning.split())
        return f"{query.prefix}{value}\t{plain}" if plain else f"{query.prefix}{value}"
    # bash replaces what follows the last character that breaks words.
    typed = arguments[-1] if arguments else ""
    if ":" in query.incomplete and typed[:1] not in ("'", '"'):
        value = value[query.incomplete.rindex(":") + 1 :]
    return value if typed[:1] in ("'", '"') else _escaped(value)


def _escaped(value: str) -> str:
    """A value that the shell reads as one word."""
    return "".join(
        character if character.isalnum() or character in "@%+=:,./_-" else f"\\{character}"
        for character in value
    )


def _unquoted(word: str) -> str:
    """A word without the quotes and backslashes that the shell would take away."""
    plain, quote, escaped = "", "", False
    for character in word:
        if escaped:
            plain, escaped = plain + character, False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote, plain = ("", plain) if character == quote else (quote, plain + character)
        elif character in "'\"":
            quote = character
        else:
            plain += character
    return plain


def _table() -> dict[str, object]:
    import json

    with open(os.path.join(os.path.dirname(__file__), "table.json"), encoding="utf-8") as file:
        table: dict[str, object] = json.load(file)
    return table


def _names_in_time(query: Query) -> list[tuple[str, str]]:
    """The names, or none where they take too long; a thread that hangs does not keep us."""
    import threading

    from diaken_cli.completion.names import names

    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: found.extend(names(query)), daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [] if thread.is_alive() else found
