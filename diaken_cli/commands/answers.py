"""What an answer means: the name that was chosen, yes or no. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from diaken_cli.text import listed

SHOWN = 20
"""So many names are listed; TAB lists all."""

YES_NO = ("yes", "no")


def find_choice(answer: str, names: Sequence[str], also: Collection[str] = ()) -> str:
    """The name that an answer chooses: case ignored, and a beginning that only one name has.

    `also` are names that are not listed; a beginning is looked for in `names` first. Raises
    ValueError with the names that it may be one of.
    """
    every = dict.fromkeys([*names, *also])
    folded = answer.casefold()
    if answer in every:
        return answer
    found = [name for name in every if name.casefold() == folded]
    for candidates in (names, also):
        found = found or beginning_with(answer, candidates)
    if not found or not answer:
        raise ValueError(f"{answer!r} is not one of: {listed(names or sorted(also), SHOWN)}")
    if len(found) > 1:
        raise ValueError(f"{answer!r} is ambiguous: {listed(found, SHOWN)}")
    return found[0]


def find_aliased(answer: str, names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> str:
    """The name that an answer chooses, as `find_choice`, or what is an alias of just one.

    Raises ValueError also for an alias of several, with what they can be told apart by.
    """
    found = find_choice(answer, names, aliases)
    meant = (found,) if found in names else aliases[found]
    if len(meant) > 1:
        raise ValueError(f"{found!r} is ambiguous: {listed(meant, SHOWN)}")
    return meant[0]


def is_yes(answer: str) -> bool:
    """Whether an answer says yes; an empty one says no. Raises ValueError for any other word."""
    return bool(answer) and find_choice(answer, YES_NO) == "yes"


def beginning_with(text: str, names: Iterable[str]) -> list[str]:
    """The names that begin with that text, case ignored."""
    return [name for name in names if name.casefold().startswith(text.casefold())]
