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
    if arguments == ["--version"]:  # typer would cost five times as much
        from diaken_cli import __version__

        sys.stdout.write(f"diaken {__version__}\n")
        return
    from diaken_cli import tick

    status = tick.main(arguments)
    sys.exit(run(arguments) if status is None else status)


def run(arguments: list[str]) -> int:
    """Carry out one call; whatever goes wrong is said once, and gives the exit status."""
    import os
    import signal

    import typer

    from diaken_cli.commands import app
    from diaken_cli.errors import Canceled, DiakenError

    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _interrupt)
    try:
        status = typer.main.get_command(app).main(
            arguments, prog_name="diaken", standalone_mode=False
        )
        sys.stdout.flush()
    except typer.Abort:
        return _failed(Canceled("nothing was done"), arguments)
    except typer.TyperException as fault:
        return _failed(_usage(fault), arguments)
    except DiakenError as error:
        return _failed(error, arguments)
    except KeyboardInterrupt:
        return _failed(Canceled("stopped"), arguments)
    except BrokenPipeError:
        # The reader went away (`diaken … | head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:  # noqa: BLE001  # the last resort: no traceback reaches a script
        return _failed(_unexpected(fault), arguments)
    return status if isinstance(status, int) else 0


def _interrupt(_signal: int, _frame: "FrameType | None") -> None:
    raise KeyboardInterrupt


def _failed(error: "DiakenError", arguments: list[str]) -> int:
    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    _output(arguments).failure(error)
    return error.exit_status


def _usage(fault: Exception) -> "UsageError":
    from diaken_cli.errors import UsageError

    message = getattr(fault, "format_message", fault.__str__)()
    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else "diaken"
    return UsageError(message, hint=f"See: {path} --help")


def _unexpected(fault: Exception) -> "DiakenError":
    from diaken_cli.errors import DiakenError

    return DiakenError(
        f"unexpected {type(fault).__name__}: {fault}",
        hint="This is a defect of diaken; --debug shows where.",
    )


def _output(arguments: list[str]) -> "Output":
    """The form of an error, from the bare arguments: parsing them may be what failed."""
    from diaken_cli.render.output import Format, Output

    words = " ".join(arguments).replace("=", " ").split()
    chosen = Format.TEXT
    if "--json" in words or "--output json" in " ".join(words):
        chosen = Format.JSON
    if "--output jsonl" in " ".join(words):
        chosen = Format.JSONL
    return Output(chosen, no_color="--no-color" in words)


if __name__ == "__main__":
    main()
