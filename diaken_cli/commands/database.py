"""`diaken database`: the database file."""

from pathlib import Path
from typing import Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import asking

app = group("database")


@command(app)
def backup(
    call: Call,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The copy; it must not exist yet.")
    ] = None,
) -> None:
    """Copy the live database; runs may continue in the meantime.

    The copy is a complete, checked database that only this account can read.

    Example: diaken database backup /var/backups/diaken.db

    Example: diaken database backup /var/backups/diaken.db --json
    """
    from diaken_cli.errors import AccessError, Conflict
    from diaken_cli.units import format_size

    if file is None:
        with asking(call) as ask:
            file = Path(ask.required_text("FILE", None, "Backup file (must not exist yet)"))
    target = file.absolute()
    try:
        call.store.database.copy(target)
    except FileExistsError as fault:
        raise Conflict(
            f"{target} already exists", hint="Choose a file that does not exist."
        ) from fault
    except OSError as fault:
        raise AccessError(f"the copy {target} can't be written: {fault.strerror}") from fault
    size = target.stat().st_size
    message = f"copied {call.store.path} to {target} ({format_size(size)})"
    call.output.print_change({"path": str(target), "size": size}, message)
