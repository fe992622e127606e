"""Answers of another shape than the API says."""

from collections.abc import Callable
from typing import Any

import pytest

from diaken_cli.services.vsphere import rest


@pytest.mark.parametrize(
    ("read", "value", "said"),
    [
        (rest.as_text, None, "it is empty, not a string"),
        (rest.as_text, 7, "it is a number, not a string"),
        (rest.as_texts, {"a": 1}, "it is an object, not a list"),
        (rest.as_texts, ["a", ["b"]], "an element of it is a list, not a string"),
        (lambda value: rest.member_text(value, "name"), [], "it is a list, not an object"),
        (lambda value: rest.member_text(value, "name"), {"id": 1}, "it has no 'name'"),
        (lambda value: rest.member_text(value, "name"), {"name": True}, "'name' is a boolean"),
    ],
)
def test_what_it_is_instead_is_said(read: Callable[[Any], Any], value: Any, said: str) -> None:
    with pytest.raises(rest.UnexpectedShape, match=f"^{said}"):
        read(value)


def test_what_is_as_it_should_be() -> None:
    assert rest.as_texts(["a", ""]) == ["a", ""]
    assert rest.member_text({"name": "db", "more": 1}, "name") == "db"
