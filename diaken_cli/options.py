"""Options, each declared once: how it is written, the kind of its value, and its help.

The fields of a dataclass carry their option. From it are derived the parameters of a command, keys
of the config file, and the checks of both.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self

from diaken_cli import kinds
from diaken_cli.errors import Mistake
from diaken_cli.kinds import Kind
from diaken_cli.paths import WORKING_FOLDER
from diaken_cli.units import nearest_names

Typed = str | tuple[str, ...] | bool
_FIELD = "option"


@dataclass(frozen=True)
class Option:
    """An option, or a positional argument (in capitals), as `--provision/--no-provision` a flag.

    `metavar` is the placeholder for its value, `panel` its heading on a help page, `short` its
    other name, as `-e`. A `configurable` one is a key of the config file, too.
    """

    written: str
    kind: Kind
    metavar: str | None = None
    help: str | None = None
    panel: str | None = None
    configurable: bool = False
    short: str | None = None

    @property
    def name(self) -> str:
        """The name in error messages: `--ip`, `NAME`."""
        return self.written.partition("/")[0]

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.kind is kinds.FLAG

    @property
    def is_positional(self) -> bool:
        """Whether it is written without its name."""
        return self.written.isupper()

    def parse(self, text: str) -> Any:
        """The value of a text that a person types. Raises ValueError."""
        return _parse_part(text, self.kind)

    def as_field(self, default: Any = MISSING) -> Any:
        """A field of a dataclass that has this option."""
        if default == {}:
            return field(default_factory=dict, metadata={_FIELD: self})
        return field(default=default, metadata={_FIELD: self})


def option(
    written: str,
    kind: Kind,
    metavar: str | None = None,
    help: str | None = None,  # noqa: A002  as typer has it
    *,
    default: Any = MISSING,
    panel: str | None = None,
    configurable: bool = False,
    short: str | None = None,
) -> Any:
    """A field of a dataclass with an option of its own."""
    return Option(written, kind, metavar, help, panel, configurable, short).as_field(default)


def nearest_key(name: str, keys: Iterable[str]) -> str:
    """The end of a message about a wrong key: the most similar key, or all that there are."""
    near = nearest_names(name, keys, most=1)
    return f"; did you mean {near}?" if near else f"; known: {', '.join(keys)}"


def options_of(shape: type) -> dict[str, Option]:
    """The options of a dataclass, by the names of their fields."""
    return {
        field.name: field.metadata[_FIELD] for field in fields(shape) if _FIELD in field.metadata
    }


def in_order(mistakes: Iterable[Mistake], declared: Mapping[str, Option]) -> list[Mistake]:
    """The mistakes in the order in which their options are declared, others first."""
    order = {option.name: number for number, option in enumerate(declared.values())}
    return sorted(mistakes, key=lambda mistake: order.get(mistake.option, -1))


class TypedOptions(dict[str, Typed]):
    """Options as they were typed, by the names of their fields: only those that were."""

    def text(self, name: str) -> str | None:
        """The value of an option that takes one; None where it was not typed."""
        value = self.get(name)
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of an option that can be given again."""
        value = self.get(name)
        return value if isinstance(value, tuple) else ()

    def with_answers(self, **answers: Typed | None) -> Self:
        """The same options with a person's answers; None is no answer."""
        answered = {name: value for name, value in answers.items() if value is not None}
        return type(self)(self | answered)


def parse(
    typed: Mapping[str, Typed | None],
    declared: Mapping[str, Option],
    *,
    may_be_empty: Collection[str] = (),
) -> tuple[dict[str, Any], list[Mistake]]:
    """The values of typed options, by the names of their fields, and all mistakes in them.

    An option that was not typed, or is wrong, has no value; for one that may be empty, an empty
    text is None.
    """
    values: dict[str, Any] = {name: None for name in may_be_empty if typed.get(name) == ""}
    mistakes = []
    for name, option in declared.items():
        value = typed.get(name)
        if value is None or name in values:
            continue
        kind = option.kind.item if isinstance(value, tuple) else option.kind
        parsed = []
        for part in value if isinstance(value, tuple) else (value,):
            try:
                parsed.append(_parse_part(part, kind or option.kind))
            except ValueError as fault:
                shown = str(part).encode(errors="replace").decode()
                mistakes.append(Mistake(option.name, shown, str(fault)))
        if parsed:
            values[name] = option.kind.joined(parsed) if isinstance(value, tuple) else parsed[0]
    return values, mistakes


def _parse_part(part: str | bool, kind: Kind) -> Any:
    return part if isinstance(part, bool) else kind.parse(kinds.check_utf8(part), WORKING_FOLDER)
