"""Answers of another shape than the API says."""

from collections.abc import Callable
from typing import Any

import pytest

from diaken_cli.services.vsphere import shapes


@pytest.mark.parametrize(
    ("read", "value", "said"),
    [
        (shapes.text, None, "it is empty, not a text"),
        (shapes.text, 7, "it is a number, not a text"),
        (shapes.texts, {"a": 1}, "it is an object, not a list"),
        (shapes.texts, ["a", ["b"]], "an element of it is a list, not a text"),
        (lambda value: shapes.text_in(value, "name"), [], "it is a list, not an object"),
        (lambda value: shapes.text_in(value, "name"), {"id": 1}, "it has no 'name'"),
        (lambda value: shapes.text_in(value, "name"), {"name": True}, "'name' is a truth value"),
    ],
)
def test_what_it_is_instead_is_said(read: Callable[[Any], Any], value: Any, said: str) -> None:
    with pytest.raises(shapes.UnexpectedShape, match=f"^{said}"):
        read(value)


def test_what_is_as_it_should_be() -> None:
    assert shapes.texts(["a", ""]) == ["a", ""]
    assert shapes.text_in({"name": "db", "more": 1}, "name") == "db"
