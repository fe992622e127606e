"""Text from elsewhere can't act on a terminal; long lists are cut short."""

import re

import pytest

from diaken_cli.text import CONTROL, escape_control, join_names


def test_what_a_terminal_would_act_on_is_written_out() -> None:
    assert escape_control("a\x1b[2Jb\u202e\udcff") == "a\\x1b[2Jb\\u202e\\udcff"
    assert escape_control("one\r\ntwo\tthree\n") == "one\ntwo\tthree\n"


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\r\nb", "a\u2028b", "a\x85b", "a\u2066b"])
def test_one_line_stays_one(text: str) -> None:
    shown = escape_control(text, lines=False)
    assert len(shown.splitlines()) == 1
    assert re.search(CONTROL, shown) is None
    assert shown[0] == "a"
    assert shown[-1] == "b"


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    names = [f"vm{number}" for number in range(8)]
    assert join_names(names) == "vm0, vm1, vm2, vm3, vm4 and 3 more"
    assert join_names(names, 7, "; ").endswith("; vm6 and 1 more")
    assert join_names(names[:5]) == "vm0, vm1, vm2, vm3, vm4"
