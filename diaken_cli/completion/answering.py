"""One question of a shell: words in, candidates out."""
# ruff: noqa: PTH118, PTH120, PTH123  pathlib would cost a third of the answer's time

import os
import sys

from diaken_cli.completion.reading import Wanted, read

SECONDS = 2.0
"""For a database on a file system that hangs, or for a thousand playbooks: then nothing is said."""


def main(shell: str, arguments: list[str]) -> int:
    """Write what may come in the place of the last of `arguments`; always succeeds."""
    words = (
        bash_words(arguments)
        if shell == "bash"
        else [_unquoted(argument) for argument in arguments]
    )
    wanted = read(words, _table())
    if wanted.kind == "file":
        sys.stdout.write(":files\n")
        return 0
    found = [
        candidate for candidate in candidates(wanted) if candidate[0].startswith(wanted.incomplete)
    ]
    lines = [_line(shell, arguments, wanted, *each) for each in found]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def candidates(wanted: Wanted) -> list[tuple[str, str]]:
    """What may stand there, with what it means."""
    if wanted.kind is None:
        return list(wanted.choices.items())
    return _in_time(wanted)


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
    return [_unquoted(each) for each in joined]


def _line(shell: str, arguments: list[str], wanted: Wanted, value: str, meaning: str) -> str:
    if shell != "bash":
        plain = " ".join(meaning.split())
        return f"{wanted.prefix}{value}\t{plain}" if plain else f"{wanted.prefix}{value}"
    # bash replaces what follows the last character that breaks words.
    typed = arguments[-1] if arguments else ""
    if ":" in wanted.incomplete and typed[:1] not in ("'", '"'):
        value = value[wanted.incomplete.rindex(":") + 1 :]
    return value if typed[:1] in ("'", '"') else _escaped(value)


def _escaped(value: str) -> str:
    """A value that the shell reads as one word."""
    return "".join(
        each if each.isalnum() or each in "@%+=:,./_-" else f"\\{each}" for each in value
    )


def _unquoted(word: str) -> str:
    """A word without the quotes and backslashes that the shell would take away."""
    plain, quote, escaped = "", "", False
    for each in word:
        if escaped:
            plain, escaped = plain + each, False
        elif each == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote, plain = ("", plain) if each == quote else (quote, plain + each)
        elif each in "'\"":
            quote = each
        else:
            plain += each
    return plain


def _table() -> dict[str, object]:
    import json

    with open(os.path.join(os.path.dirname(__file__), "table.json"), encoding="utf-8") as file:
        table: dict[str, object] = json.load(file)
    return table


def _in_time(wanted: Wanted) -> list[tuple[str, str]]:
    """The names, or none where they take too long; a thread that hangs does not keep us."""
    import threading

    from diaken_cli.completion.names import names

    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: found.extend(names(wanted)), daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [] if thread.is_alive() else found
