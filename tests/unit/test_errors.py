"""An error says where it happened, and what it came of."""

from diaken_cli.errors import OperationFailed, unexpected


def test_an_error_says_where_it_happened_also_in_its_headline() -> None:
    error = OperationFailed("it failed on every host: web01: why", headline="it failed").within(
        "here"
    )
    assert error.message == str(error) == "here: it failed on every host: web01: why"
    assert error.headline == "here: it failed"


def test_where_it_happened_is_said_once() -> None:
    error = OperationFailed("no answer").within("vCenter main").within("vCenter main")
    assert (error.message, error.headline) == ("vCenter main: no answer",) * 2
    assert error.brief == "no answer", "where the place stands beside it"


def test_an_unexpected_error_keeps_what_it_came_of() -> None:
    fault = TypeError("a defect")
    assert unexpected(fault).__cause__ is fault
