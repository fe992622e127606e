"""Help pages without Python's types: nobody gives `<bool>` to a flag, or knows `<list[str]>`."""

from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.models import OptionInfo

NO_VALUE = ""
MOST_NAMED = 12  # commands: more are for the help page


def as_flag(annotation: Any) -> None:
    """Show no type for an option of that annotation where it is a flag."""
    for info in getattr(annotation, "__metadata__", ()):
        if isinstance(info, OptionInfo) and annotation.__origin__ in (bool, bool | None):
            info.metavar = NO_VALUE


def value_of(option: Any) -> str:
    """The word for an option's value: what its declaration says, or its name's last word."""
    return str(option.metavar or option.opts[0].rpartition("-")[2].upper())


class _HelpIsAFlag:
    def get_help_option(self, ctx: Any) -> Any:
        """The option --help, shown like the other flags."""
        found = super().get_help_option(ctx)  # type: ignore[misc]
        if found is not None:
            found.metavar = NO_VALUE
        return found


class Command(_HelpIsAFlag, TyperCommand):
    """A command; its arguments show their name, and its options a word for their value."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for each in self.params:
            if isinstance(each, TyperArgument):
                each.display_type_rich = _no_type  # type: ignore[method-assign]
            elif isinstance(each, TyperOption) and not each.is_flag:
                each.metavar = value_of(each)


def _no_type(ctx: Any) -> None:
    """The name of an argument says it all."""


class Group(_HelpIsAFlag, TyperGroup):
    """A group of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of that name; where none is like it, the error names those there are."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as fault:
            if "Did you mean" not in fault.message and len(self.commands) <= MOST_NAMED:
                names = ", ".join(self.commands)
                fault.message = f"{fault.message.rstrip('.')}; there are: {names}"
            raise
