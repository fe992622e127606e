"""A function becomes a command: its parameters, declared options included, as typer takes them.

A command is a function whose first parameter is the `Call`; `command(app)` adds the options of
every command to its signature. A parameter may stand for several options: it is a dataclass (each
field an option, by its `Annotated` or by `diaken_cli.options`), or `Annotated[TypedOptions, …]`
with declared options. Groups load when they are used: see `commands.LazyGroups`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo

from diaken_cli.commands import COMMANDS, GROUPS
from diaken_cli.commands.call import Call
from diaken_cli.commands.pages import Command, CommonOptions, Group, parse_docstring
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.options import Option, TypedOptions, options_of
from diaken_cli.render.output import Format, Output

CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
"""Typer's own: `__main__` hands down by it whether to stop."""


def command(
    app: typer.Typer, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose first parameter is the `Call`.

    The options of every command come last.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        sets = {
            parameter.name: option_group
            for parameter in own
            if (option_group := option_set(parameter.name, parameter.annotation))
        }
        sets["common"] = dataclass_options("common", CommonOptions)
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in own
            if parameter.name not in sets
        ]
        for options in sets.values():
            # a command that says itself what its --yes does has that one alone
            taken = {name for parameter in parameters for name in option_names(parameter)}
            parameters += [
                parameter
                for parameter in options.parameters.values()
                if taken.isdisjoint(option_names(parameter))
            ]

        written = {parameter.name: written_name(parameter) for parameter in parameters}

        def call(context: typer.Context, **values: Any) -> None:
            refuse_invalid_utf8(values, written)
            built = {
                name: options.build(
                    {
                        field: values.pop(parameter.name)
                        for field, parameter in options.parameters.items()
                        if parameter.name in values
                    }
                )
                for name, options in sets.items()
            }
            common = built.pop("common")
            function(Call(common, _output(common), context.obj), **values, **built)

        call.__name__ = function.__name__
        call.__doc__, examples = parse_docstring(function.__doc__ or "")
        call.__signature__ = inspect.Signature([CONTEXT, *parameters])  # type: ignore[attr-defined]
        call.__annotations__ = {
            parameter.name: parameter.annotation for parameter in [CONTEXT, *parameters]
        }
        app.command(name, cls=Command, epilog="\n".join(examples))(call)
        return function

    return register


def group(name: str) -> typer.Typer:
    """A command group, or a command without one; its help is the line on the page of all."""
    help_text = {**GROUPS, **COMMANDS}[name]
    return typer.Typer(cls=Group, help=help_text, rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True)
class OptionSet:
    """Options that together are one parameter of a command's function.

    `parameters` are those of typer, by their names in here; `build` makes the function's parameter
    of their values.
    """

    parameters: Mapping[str, inspect.Parameter]
    build: Callable[[Mapping[str, Any]], Any]


def option_set(name: str, annotation: Any) -> OptionSet | None:
    """The options that a function's parameter stands for; None for one that is an option itself."""
    if is_dataclass(annotation):
        return dataclass_options(name, annotation)
    if get_origin(annotation) is Annotated and get_args(annotation)[0] is TypedOptions:
        return _declared_options(name, get_args(annotation)[1], TypedOptions)
    return None


def dataclass_options(name: str, shape: Any) -> OptionSet:
    """The options that a parameter of that dataclass stands for."""
    if declared := options_of(shape):
        return _declared_options(name, declared, lambda typed: shape(**typed))
    hints = get_type_hints(shape, include_extras=True)
    return OptionSet(
        {
            field.name: _parameter(f"{name}_{field.name}", hints[field.name], field.default)
            for field in fields(shape)
        },
        lambda values: shape(**values),
    )


def _declared_options(
    name: str, declared: Mapping[str, Option], make: Callable[[dict[str, Any]], Any]
) -> OptionSet:
    def build(values: Mapping[str, Any]) -> Any:
        return make(
            {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in values.items()
                if value is not None
            }
        )

    return OptionSet(
        {
            field: _parameter(f"{name}_{field}", _annotation(option), None)
            for field, option in declared.items()
        },
        build,
    )


def _annotation(option: Option) -> Any:
    if option.is_positional:
        return Annotated[str | None, typer.Argument(metavar=option.written, help=option.help)]
    names = (option.written, option.short) if option.short else (option.written,)
    info = typer.Option(
        *names, metavar=option.metavar, help=option.help, rich_help_panel=option.panel
    )
    if option.is_flag:
        return Annotated[bool | None, info]
    if option.kind.item is not None:
        return Annotated[list[str] | None, info]
    return Annotated[str | None, info]


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def option_names(parameter: inspect.Parameter) -> tuple[str, ...]:
    """The names by which an option is declared; none for an argument."""
    (info,) = parameter.annotation.__metadata__
    return () if isinstance(info, ArgumentInfo) else tuple(info.param_decls or ())


def written_name(parameter: inspect.Parameter) -> str:
    """How a person writes a parameter: `--name`, or a positional's NAME."""
    (info,) = parameter.annotation.__metadata__
    if isinstance(info, ArgumentInfo):
        return str(info.metavar)
    return str(info.default)  # in Annotated the first name stands there


def refuse_invalid_utf8(values: Mapping[str, Any], written: Mapping[str, str]) -> None:
    """Refuse bytes that are not UTF-8: no name has them, and SQLite and JSON can't hold them."""
    mistakes = []
    for name, value in values.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= sign <= "\udfff" for sign in text):
                shown = text.encode(errors="replace").decode()
                mistakes.append(Mistake(written[name], shown, "must be valid UTF-8"))
    if mistakes:
        raise InvalidInput(mistakes)


def _output(options: CommonOptions) -> Output:
    try:
        chosen = Format.JSON if options.json else Format(options.output)
    except ValueError:
        raise InvalidInput(
            [Mistake("--output", options.output, "must be text, json or jsonl")]
        ) from None
    output = Output(chosen, options.quiet, options.verbose, options.no_color)
    if options.verbose:
        from diaken_cli.render.log import print_log

        print_log(output)
    return output
