"""Help pages without `<bool>` beside what takes no value: one would try to give it."""

from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.models import OptionInfo

NO_VALUE = ""


def as_flag(annotation: Any) -> None:
    """Show no type for an option of that annotation where it is a flag."""
    for info in getattr(annotation, "__metadata__", ()):
        if isinstance(info, OptionInfo) and annotation.__origin__ in (bool, bool | None):
            info.metavar = NO_VALUE


class _HelpIsAFlag:
    def get_help_option(self, ctx: Any) -> Any:
        """The option --help, shown like the other flags."""
        found = super().get_help_option(ctx)  # type: ignore[misc]
        if found is not None:
            found.metavar = NO_VALUE
        return found


class Command(_HelpIsAFlag, TyperCommand):
    """A command."""


class Group(_HelpIsAFlag, TyperGroup):
    """A group of commands."""
