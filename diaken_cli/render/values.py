"""Values as people read them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from diaken_cli.text import escape_control

Shape = Mapping[str, Any]
Columns = Mapping[str, str | Callable[[Shape], Any]]


def local(moment: datetime) -> str:
    """A moment in this machine's zone, for people."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def cell(value: Any) -> Any:
    """A value as people read it; what Rich can draw stays as it is."""
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return local(value)
        case {"__ansible_vault": _}:
            return "(vault)"
        case dict():
            return ", ".join(f"{key}={cell(element)}" for key, element in value.items()) or "–"
        case list() | tuple():
            return ", ".join(str(cell(element)) for element in value) or "–"
        case int() | float():
            return str(value)
        case str():
            return escape_control(value)
        case _:
            return value
