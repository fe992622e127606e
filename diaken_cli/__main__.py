"""The entry point, and the one place where an error becomes an exit status."""

import sys

# Most calls are ticks of cron with nothing due: what costs time is imported where it is used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from diaken_cli.errors import DiakenError, UsageError
    from diaken_cli.render.output import Output


def main() -> None:
    """Run the command line and exit with the status of the contract."""
    import os

    arguments = sys.argv[1:]
    if shell := os.environ.get("_DIAKEN_COMPLETE"):  # see `completion`
        from diaken_cli.completion import answering

        sys.exit(answering.main(shell, arguments))
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:  # they were closed: `>&-`
        _open_what_is_closed()
    if arguments == ["--version"]:  # typer would cost five times as much
        from diaken_cli import __version__

        sys.stdout.write(f"diaken {__version__}\n")
        return
    import gc

    gc.set_threshold(500_000)  # what is imported is no garbage: looking there costs a tenth
    from diaken_cli import tick

    status = tick.main(arguments)
    if status is not None:
        os._exit(_flushed(status))  # the interpreter's own end costs a tick a sixth of its time
    status = _flushed(run(arguments))
    gc.disable()  # what is imported is not looked through once more at the end
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Carry out one call; whatever goes wrong is said once, and gives the exit status."""
    import io
    import signal

    import typer

    from diaken_cli.commands import app
    from diaken_cli.errors import Canceled, DiakenError, unexpected
    from diaken_cli.render.output import is_plain, perhaps_unheard

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for a terminal that does not speak UTF-8
    _dump_no_core()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup(1)
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        status = typer.main.get_command(app).main(
            arguments,
            prog_name="diaken",
            standalone_mode=False,
            color=False if is_plain(sys.stdout, no_color="--no-color" in arguments) else None,
        )
        with perhaps_unheard(sys.stdout):
            pass  # what was printed is flushed
    except typer.Abort:
        return _given_up(arguments)
    except typer.TyperException as fault:
        return _failed(_usage(fault), arguments)
    except DiakenError as error:
        return _failed(error, arguments)
    except KeyboardInterrupt:
        return _failed(Canceled("stopped"), arguments)
    except SystemExit as left:
        if not isinstance(left.__context__, BrokenPipeError):
            raise
        # Typer's answer to a reader that went away (`diaken … | head`): 1 would be a failure.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # it has wrapped them
        return 0  # nothing more can be said to it
    except Exception as fault:  # noqa: BLE001  # the last resort: no traceback reaches a script
        return _failed(unexpected(fault), arguments)
    return status if isinstance(status, int) else 0


def _dump_no_core() -> None:
    """Where this process, or one that it starts, crashes: passwords in its memory are no file."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _interrupt(_signal: int, _frame: "FrameType | None") -> None:
    raise KeyboardInterrupt


def _failed(error: "DiakenError", arguments: list[str]) -> int:
    from contextlib import suppress

    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    with suppress(OSError):  # nobody can be told
        _output(arguments).failure(error)
    return error.exit_status


def _given_up(arguments: list[str]) -> int:
    """Nobody answered, or the answer was no: that is no error, and says that nothing happened."""
    from contextlib import suppress

    from diaken_cli.errors import Canceled

    output = _output(arguments)
    with suppress(OSError):  # nobody can be told
        output.err.print("Canceled; nothing was changed.")
        output.failure_as_data(Canceled("nothing was changed"))
    return Canceled.exit_status


def _flushed(status: int) -> int:
    """The exit status, when all is written or can't be: the interpreter would make it 120."""
    import os

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            from contextlib import suppress

            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status


def _open_what_is_closed() -> None:
    """In their order, for the first number that is free: else the database would get it."""
    import os

    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _usage(fault: Exception) -> "UsageError":
    from diaken_cli.errors import UsageError

    message = getattr(fault, "format_message", fault.__str__)()
    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else "diaken"
    return UsageError(message or "a command is missing", hint=f"See: {path} --help")


def _output(arguments: list[str]) -> "Output":
    """The form of an error, from the bare arguments: parsing them may be what failed."""
    from itertools import zip_longest

    from diaken_cli.render.output import Format, Output

    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    chosen = Format.TEXT
    for option, value in zip_longest(options, options[1:], fillvalue=""):
        said = value if option == "--output" else option.removeprefix("--output=")
        if said in tuple(Format):
            chosen = Format(said)
    if "--json" in options:
        chosen = Format.JSON
    return Output(chosen, no_color="--no-color" in options)


if __name__ == "__main__":
    main()
