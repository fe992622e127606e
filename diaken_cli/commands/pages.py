"""Help pages and parsing of the command line, and the options that every command takes.

A page has usage, text, options under their headings, one line for the options of every command, and
two examples at its end. It is at most 80 columns wide, and nothing on it is cut.
"""

import inspect
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import chain, islice, zip_longest
from pathlib import Path
from textwrap import fill, indent, wrap
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

YES = "--yes"
EVERY_COMMAND = "Options of every command"
EVERY_COMMAND_TOO = "Every command also takes --json, --output …: see diaken --help"
OWN_OPTIONS = "Options"
INDENT = "  "
MOST_EXAMPLES = 2
WIDEST_NAME = 30  # columns of an option; what is longer has a line of its own
MOST_NAMED = 12  # commands: more are for the help page
EXAMPLE = "Example: "
EXAMPLE_INDENT = "    "


@dataclass(frozen=True)
class CommonOptions:
    """The options that every command takes, after its own."""

    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=EVERY_COMMAND)
    ] = False
    output: Annotated[
        str,
        typer.Option(
            "--output",
            metavar="FORMAT",
            help="text, json, or jsonl (an object a line while work goes on).",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = "text"
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print only data, warnings, errors, and what did not succeed.",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print more messages.", rich_help_panel=EVERY_COMMAND),
    ] = False
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks.", rich_help_panel=EVERY_COMMAND),
    ] = False
    no_color: Annotated[
        bool,
        typer.Option("--no-color", help="No color.", rich_help_panel=EVERY_COMMAND),
    ] = False
    no_input: Annotated[
        bool,
        typer.Option("--no-input", help="Never prompt.", rich_help_panel=EVERY_COMMAND),
    ] = False
    yes: Annotated[
        bool,
        typer.Option(
            YES,
            "-y",
            help="Do not ask for confirmation; for missing values, see --no-input.",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = False
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The config file.",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = None


def help_records() -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The names of each option, the placeholder for its value (empty for a flag), and its help."""
    hints = get_type_hints(CommonOptions, include_extras=True)
    for field in fields(CommonOptions):
        (info,) = hints[field.name].__metadata__
        names = (info.default, *info.param_decls)  # in Annotated the first name stands there
        yield names, info.metavar or "", info.help


def parse_docstring(docstring: str) -> tuple[str, tuple[str, ...]]:
    """The text of a help page, a line a paragraph, and its examples, a line each.

    A paragraph of the docstring that begins with `Example: ` is one of them.
    """
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(docstring).split("\n\n")]
    text = "\n\n".join(paragraph for paragraph in paragraphs if not paragraph.startswith(EXAMPLE))
    examples = [
        paragraph.removeprefix(EXAMPLE) for paragraph in paragraphs if paragraph.startswith(EXAMPLE)
    ]
    return text, tuple(examples)


def fold_example(example: str, width: int) -> Sequence[str]:
    """An example in lines of at most so many columns, which a shell joins again.

    It is folded before an option only, so that no value is torn from its option.
    """
    lines = [""]
    for part in example.replace(" -", "\n-").split("\n"):
        joined = f"{lines[-1]} {part}" if lines[-1] else part
        if lines[-1] and len(joined) + len(" \\") > width:
            lines.append(f"{EXAMPLE_INDENT}{part}")
        else:
            lines[-1] = joined
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


class _Page:
    """The parts of a help page; the examples are the lines of the `epilog`."""

    params: list[Any]
    epilog: str | None
    help: str | None
    closing = EVERY_COMMAND_TOO

    @property
    def examples(self) -> tuple[str, ...]:
        """Commands as a shell takes them, a line each."""
        return tuple((self.epilog or "").splitlines())

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The arguments, then the options; an argument is required, also where it is asked for."""
        return [*(param.metavar for param in self.params if _is_argument(param)), "[OPTIONS]"]

    def get_help_option(self, ctx: Any) -> Any:
        """The option -h, --help."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = "Show this page."
        return option

    def get_help(self, ctx: Any) -> str:
        """The page, in characters that standard output can show."""
        page: str = super().get_help(ctx)  # type: ignore[misc]
        encoding = sys.stdout.encoding or "utf-8"
        if not encoding.lower().startswith("utf"):
            page = page.replace("…", "...").encode(encoding, "replace").decode(encoding)
        return page

    def format_help_text(self, _ctx: Any, formatter: Any) -> None:
        """What it does, in paragraphs."""
        for paragraph in (self.help or "").split("\n\n"):
            formatter.write_paragraph()
            text = fill(paragraph, formatter.width - len(INDENT), break_on_hyphens=False)
            formatter.write(indent(text, INDENT) + "\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments that have a help, and the options under their headings."""
        arguments = [param for param in self.params if _is_argument(param) and param.help]
        write_section(
            formatter, "Arguments", [(argument.metavar, argument.help) for argument in arguments]
        )
        by_heading: dict[str, list[tuple[str, str]]] = {OWN_OPTIONS: []}
        for option in (param for param in self.params if not _is_argument(param)):
            heading = option.rich_help_panel or OWN_OPTIONS
            by_heading.setdefault(heading, []).append(option.get_help_record(ctx))
        by_heading.pop(EVERY_COMMAND, None)
        by_heading[OWN_OPTIONS].append(self.get_help_option(ctx).get_help_record(ctx))
        for heading, rows in by_heading.items():
            write_section(formatter, heading, rows)

    def format_epilog(self, _ctx: Any, formatter: Any) -> None:
        """The end of a page: where the options of every command are listed, and examples."""
        if self.closing:
            formatter.write_paragraph()
            formatter.write_text(self.closing)
        _write_examples(formatter, self.examples)


class Command(_Page, TyperCommand):
    """A command; on its help page each option that takes a value has a placeholder for it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for param in self.params:
            if isinstance(param, TyperOption) and not param.is_flag:
                param.metavar = param.metavar or param.opts[0].rpartition("-")[2].upper()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; the error for a superfluous word quotes it, even an empty one."""
        ctx.allow_extra_args = True
        with _add_command_to_errors(ctx), self._name_options():
            remaining = super().parse_args(ctx, args)
        if remaining and not ctx.resilient_parsing:
            hint = self._how_hosts_are_given(ctx, remaining)
            ctx.fail(f"unexpected argument: {shlex.join(remaining)}{hint}")
        return remaining

    @contextmanager
    def _name_options(self) -> Iterator[None]:
        """Name similar options where one is unknown, else the command's own; never --yes."""
        try:
            yield
        except typer.TyperException as fault:
            if getattr(fault, "possibilities", None) is not None:
                similar = [name for name in vars(fault)["possibilities"] if name != YES]
                vars(fault)["possibilities"] = similar
                own = [param.opts[0] for param in self.params if _is_own_option(param)]
                if not similar and 0 < len(own) <= MOST_NAMED:
                    fault.message += f"; known: {', '.join(own)}"
            raise

    def _how_hosts_are_given(self, ctx: Any, remaining: Sequence[str]) -> str:
        """The command with `--host`, where it takes several of them and has none.

        Where it has arguments, too, it is not known which of the words are hosts.
        """
        hosts = [param for param in self.params if "--host" in param.opts and param.multiple]
        if not hosts or ctx.params[hosts[0].name]:
            return ""
        arguments = [param.metavar for param in self.params if _is_argument(param)]
        names = [hosts[0].metavar] if arguments else map(shlex.quote, remaining)
        words = [ctx.command_path, *arguments, *(f"--host {name}" for name in names)]
        return f". Hosts are given by --host: {' '.join(words)}"


class Group(_Page, TyperGroup):
    """A group of commands; without a command it prints its help."""

    @property
    def examples(self) -> tuple[str, ...]:
        """Its own, or those of its commands: the first one of each, then the second ones."""
        of_commands = [getattr(command, "examples", ()) for command in self.commands.values()]
        rounds = chain.from_iterable(zip_longest(*of_commands))
        return super().examples or tuple(islice(filter(None, rounds), MOST_EXAMPLES))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """A command, and what it takes."""
        return ["COMMAND …"]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words before the command; where there are none, print the help page.

        For an option of every command that stands here, the error says where it belongs.
        """
        if not ctx.resilient_parsing and set(args) <= {"--"}:
            typer.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        if args[:1] == ["help"]:  # as with git and systemctl
            args = [*args[1:], "--help"]
        first = args[0].partition("=")[0] if args else ""
        if any(first in names for names, _, _ in help_records()):
            ctx.fail(f"{first} goes after the command: {ctx.command_path} COMMAND … {first}")
        with _add_command_to_errors(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of that name; where none is similar, the error lists all commands."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as fault:
            if "Did you mean" not in fault.message and len(self.commands) <= MOST_NAMED:
                names = ", ".join(self.commands)
                fault.message = f"{fault.message.rstrip('.')}; known: {names}"
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands, each with the first paragraph of its help, then the options."""
        summaries = [(name, _summary(command.help)) for name, command in self.commands.items()]
        write_section(formatter, "Commands", summaries)
        super().format_options(ctx, formatter)


def write_section(formatter: Any, heading: str, rows: Iterable[tuple[str, str]]) -> None:
    """A heading and two columns below it; nothing where there are no rows."""
    all_rows = list(rows)
    if not all_rows:
        return
    with formatter.section(typer.style(heading, bold=True)):  # bold is dropped off a terminal
        margin = " " * formatter.current_indent
        name_width = min(max(len(name) for name, _ in all_rows), WIDEST_NAME)
        hanging = f"{margin}{'':{name_width}}  "
        for name, help_text in all_rows:
            lines = wrap(help_text, formatter.width - len(hanging), break_on_hyphens=False)
            first = lines.pop(0) if lines and len(name) <= name_width else ""
            formatter.write(f"{margin}{name:{name_width}}  {first}".rstrip() + "\n")
            formatter.write("".join(f"{hanging}{line}\n" for line in lines))


@contextmanager
def _add_command_to_errors(ctx: Any) -> Iterator[None]:
    """Add the command to an error of the parser: the message refers to its help page."""
    try:
        yield
    except typer.TyperException as fault:
        if getattr(fault, "ctx", ctx) is None:
            vars(fault)["ctx"] = ctx
        raise


def _write_examples(formatter: Any, examples: Sequence[str]) -> None:
    if not examples:
        return
    with formatter.section(typer.style("Examples", bold=True)):
        margin = " " * formatter.current_indent
        for example in examples:
            for line in fold_example(example, formatter.width - len(margin)):
                formatter.write(f"{margin}{line}\n")


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _is_own_option(parameter: Any) -> bool:
    is_common = _is_argument(parameter) or parameter.rich_help_panel == EVERY_COMMAND
    return not is_common and YES not in parameter.opts


def _summary(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())
