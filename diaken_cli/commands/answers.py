"""Parses answers to questions: a name of a list, yes or no. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from diaken_cli.text import listed

SHOWN = 20
"""So many names are listed; TAB lists all."""

YES_NO = ("yes", "no")


def find_choice(answer: str, names: Sequence[str], unlisted: Collection[str] = ()) -> str:
    """The name that an answer chooses; case is ignored, and an unambiguous beginning is enough.

    `unlisted` names are accepted, too; a beginning is looked for in `names` first. Raises
    ValueError with the names that it may be one of.
    """
    all_names = dict.fromkeys([*names, *unlisted])
    folded = answer.casefold()
    if answer in all_names:
        return answer
    matches = [name for name in all_names if name.casefold() == folded]
    for candidates in (names, unlisted):
        matches = matches or beginning_with(answer, candidates)
    if not matches or not answer:
        raise ValueError(f"{answer!r} is not one of: {listed(names or sorted(unlisted), SHOWN)}")
    if len(matches) > 1:
        raise ValueError(f"{answer!r} is ambiguous: {listed(matches, SHOWN)}")
    return matches[0]


def find_aliased(answer: str, names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> str:
    """The name that an answer chooses, as `find_choice`, or the only name that it is an alias of.

    Raises ValueError also for an alias of several names, and lists them.
    """
    choice = find_choice(answer, names, aliases)
    targets = (choice,) if choice in names else aliases[choice]
    if len(targets) > 1:
        raise ValueError(f"{choice!r} is ambiguous: {listed(targets, SHOWN)}")
    return targets[0]


def is_yes(answer: str) -> bool:
    """Whether an answer says yes; an empty one says no. Raises ValueError for any other word."""
    return bool(answer) and find_choice(answer, YES_NO) == "yes"


def beginning_with(text: str, names: Iterable[str]) -> list[str]:
    """The names that begin with that text, case ignored."""
    return [name for name in names if name.casefold().startswith(text.casefold())]
