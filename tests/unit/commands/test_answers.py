"""What an answer means: case is ignored, and a beginning that only one name has is enough."""

import pytest

from diaken_cli.commands.line_input import find_aliased, find_choice, is_yes

NAMES = ("PROD", "PREVIEW", "web", "web01", "Web02")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        *(("PROD", "PROD"), ("prod", "PROD"), ("pro", "PROD"), ("PRE", "PREVIEW")),
        *(("web", "web"), ("WEB", "web"), ("WEB01", "web01"), ("web02", "Web02")),
    ],
)
def test_a_name_is_chosen_by_its_beginning(answer: str, name: str) -> None:
    assert find_choice(answer, NAMES) == name


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("p", "'p' is ambiguous: PROD, PREVIEW"),
        ("web0", "'web0' is ambiguous: web01, Web02"),
        ("f", "'f' is not one of: PROD, PREVIEW, web, web01, Web02"),
        ("", "'' is not one of: PROD, PREVIEW, web, web01, Web02"),
    ],
)
def test_what_chooses_no_name_is_told_the_names(answer: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        find_choice(answer, NAMES)


def test_names_that_differ_in_case_alone_are_chosen_exactly() -> None:
    assert find_choice("Web", ("web", "Web")) == "Web"
    with pytest.raises(ValueError, match="ambiguous: web, Web"):
        find_choice("WEB", ("web", "Web"))


def test_names_that_are_not_listed_are_chosen_too() -> None:
    assert find_choice("h", ("host", "group"), {"hermes"}) == "host"
    assert find_choice("he", ("host", "group"), {"hermes"}) == "hermes"
    with pytest.raises(ValueError, match=r"^'x' is not one of: host, group$"):
        find_choice("x", ("host", "group"), {"hermes"})


def test_an_alias_of_one_name_chooses_it_and_one_of_several_is_ambiguous() -> None:
    names, aliases = ("before", "s-1", "s-2"), {"s-9": ["s-9"], "twice": ["s-1", "s-2"]}
    assert find_aliased("bef", names, aliases) == "before"
    assert find_aliased("S-9", names, aliases) == "s-9"
    with pytest.raises(ValueError, match=r"^'twice' is ambiguous: s-1, s-2$"):
        find_aliased("TW", names, aliases)
    with pytest.raises(ValueError, match=r"^'x' is not one of: before, s-1, s-2$"):
        find_aliased("x", names, aliases)


def test_yes_is_said_in_so_many_ways_and_anything_else_is_no_yes() -> None:
    assert [is_yes(each) for each in ("y", "Y", "ye", "YES")] == [True] * 4
    assert [is_yes(each) for each in ("", "n", "No")] == [False] * 3
    with pytest.raises(ValueError, match=r"^'f' is not one of: yes, no$"):
        is_yes("f")
