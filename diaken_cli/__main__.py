"""The entry point, and the one place where an error becomes an exit status."""

import sys

# Most calls are ticks of cron with nothing due: what costs time is imported where it is used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from diaken_cli.errors import DiakenError, UsageError
    from diaken_cli.render.output import Output
    from diaken_cli.signals import Signals
    from diaken_cli.stop import Stop


def main() -> None:
    """Run the command line and exit with the status of the contract."""
    import os

    arguments = sys.argv[1:]
    if shell := os.environ.get("_DIAKEN_COMPLETE"):  # see `completion`
        from diaken_cli.completion import answering

        sys.exit(answering.main(shell, arguments))
    from diaken_cli.signals import Signals

    signals = Signals().install()
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:  # they were closed: `>&-`
        _open_closed_streams()
    if arguments == ["--version"]:  # typer would cost five times as much
        from contextlib import suppress

        from diaken_cli import __version__

        with suppress(BrokenPipeError):
            sys.stdout.write(f"diaken {__version__}\n")
        sys.exit(_flush(0))
    import gc

    gc.set_threshold(500_000)  # what is imported is no garbage: looking there costs a tenth
    from diaken_cli import tick

    status = tick.main(arguments)
    if status is not None:
        os._exit(_flush(status))  # the interpreter's own end costs a tick a sixth of its time
    status = _flush(run(arguments, signals))
    gc.disable()  # what is imported is not looked through once more at the end
    signals.ignore()
    sys.exit(status)


def run(arguments: list[str], signals: "Signals | None" = None) -> int:
    """Carry out one call; whatever goes wrong is printed once, and gives the exit status.

    Without `signals` those of this process are left alone.
    """
    import io

    import typer

    from diaken_cli.errors import Canceled, DiakenError, unexpected
    from diaken_cli.render.output import (
        AnswerStream,
        StandardStream,
        answer_written,
        ignore_broken_pipe,
    )
    from diaken_cli.signals import Signals
    from diaken_cli.stop import Stop

    if signals is not None and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = AnswerStream(sys.stdout, signals)
    if signals is not None and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = StandardStream(sys.stderr, signals)
    signals = signals or Signals()
    _disable_core_dumps()
    _set_default_home()
    try:
        try:
            signals.start_raising()
            status = _invoke(arguments, Stop(signals))
            with ignore_broken_pipe(sys.stdout):
                pass  # what was printed is flushed
        finally:
            signals.stop_raising()
    except typer.Abort:
        return _report_abort(arguments)
    except typer.TyperException as fault:
        return _report_failure(_usage_error(fault), arguments)
    except DiakenError as error:
        if signals.raised and not isinstance(error, Canceled):  # what it broke has made this of it
            error = Canceled(f"stopped by {signals.received}")
        return _report_failure(error, arguments)
    except BrokenPipeError:  # `diaken … | head`: nobody reads any more
        return 0
    except KeyboardInterrupt as fault:
        written = answer_written()
        if written == "whole":  # the answer stands, and its status
            return _pending_status(fault)
        return _report_failure(Canceled.by(fault), arguments, as_data=written == "nothing")
    except Exception as fault:  # noqa: BLE001  # the last resort: no traceback reaches a script
        if signals.raised:  # what was imported just then has made another error of it
            return _report_failure(Canceled(f"stopped by {signals.received}"), arguments)
        return _report_failure(unexpected(fault), arguments)
    return status


def _invoke(arguments: list[str], stop: "Stop") -> int:
    """The exit status of a command; as typer's `main`, which would end silently on an interrupt."""
    import typer

    from diaken_cli.commands import app
    from diaken_cli.render.output import is_plain

    plain = is_plain(sys.stdout, no_color="--no-color" in arguments)
    command = typer.main.get_command(app)
    try:
        with command.make_context(
            "diaken", [*arguments], color=False if plain else None, obj=stop
        ) as context:
            command.invoke(context)
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except EOFError:  # at a question
        raise typer.Abort from None
    return 0


def _pending_status(interrupt: BaseException) -> int:
    """The exit status of the typer.Exit that a signal interrupted; 0 where there is none."""
    import typer

    fault: BaseException | None = interrupt
    while fault is not None and not isinstance(fault, typer.Exit):
        fault = fault.__context__
    return 0 if fault is None else int(fault.exit_code)


def _disable_core_dumps() -> None:
    """Let no crash of this process, or of one that it starts, write passwords into a core file."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _set_default_home() -> None:
    """Set $HOME to `/`, as containers do, for an account without it and an entry in passwd(5)."""
    import os

    if not os.environ.get("HOME") and os.path.expanduser("~") == "~":  # noqa: PTH111  # raises
        os.environ["HOME"] = "/"


def _report_failure(error: "DiakenError", arguments: list[str], *, as_data: bool = True) -> int:
    from contextlib import suppress

    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    with suppress(OSError):  # nobody can be told
        _error_output(arguments).error(error, as_data=as_data)
    return error.exit_status


def _report_abort(arguments: list[str]) -> int:
    """Report that a question had no answer, or a no: that is no error, and nothing was changed."""
    from contextlib import suppress

    from diaken_cli.errors import Canceled

    output = _error_output(arguments)
    with suppress(OSError):  # nobody can be told
        output.err.print("Canceled; nothing was changed.")
        output.print_error_json(Canceled("nothing was changed"))
    return Canceled.exit_status


def _flush(status: int) -> int:
    """Flush the output; the status stays where that fails: the interpreter would make it 120."""
    import os

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            from contextlib import suppress

            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status


def _open_closed_streams() -> None:
    """Open /dev/null for each closed standard stream: a database must not get its descriptor."""
    import os

    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _usage_error(fault: Exception) -> "UsageError":
    from diaken_cli.errors import UsageError

    message = getattr(fault, "format_message", fault.__str__)()
    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else "diaken"
    return UsageError(message or "missing command", hint=f"See: {path} --help")


def _error_output(arguments: list[str]) -> "Output":
    """The output for an error, by the unparsed arguments: parsing them may be what failed."""
    from itertools import zip_longest

    from diaken_cli.render.output import Format, Output

    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    chosen = Format.TEXT
    for option, value in zip_longest(options, options[1:], fillvalue=""):
        name = value if option == "--output" else option.removeprefix("--output=")
        if name in tuple(Format):
            chosen = Format(name)
    if "--json" in options:
        chosen = Format.JSON
    return Output(chosen, no_color="--no-color" in options)


if __name__ == "__main__":
    main()
