"""`diaken settings`: global values, which every playbook gets as extra variables."""

import json
from typing import Annotated, Any

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking
from diaken_cli.render.output import Format
from diaken_cli.text import escape_control

app = group("settings")

Key = Annotated[str | None, typer.Argument(metavar="KEY", help="See: diaken settings list")]


@command(app, name="list")
def list_command(call: Call) -> None:
    """List the settings: those that are set, and the defaults of diaken's own.

    Example: diaken settings list

    Example: diaken settings list --json
    """
    rows = [_shape(key, value) for key, value in call.store.inventory.settings().items()]
    columns: dict[str, Any] = {"KEY": "key", "VALUE": lambda shape: _text(shape["value"])}
    call.output.print_rows(rows, columns, nothing="no settings")


@command(app)
def get(call: Call, key: Key = None) -> None:
    """Print the value of a setting.

    Control characters are escaped for the terminal; --json has the exact value.

    Example: diaken settings get snapshot_retention_hours

    Example: diaken settings get ntp_servers --json
    """
    from diaken_cli.actions.inventory import get_setting

    with asking(call) as ask:
        key = _ask_key(call, ask, key)
        value = get_setting(call.store, key=key)
        if call.output.format is Format.TEXT:
            call.output.print_text(f"{escape_control(_text(value))}\n")
        else:
            call.output.print_object(_shape(key, value))


@command(app, name="set")
def set_command(
    call: Call,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="The name of an Ansible variable.")
    ] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="JSON; anything else is a string.")
    ] = None,
) -> None:
    """Set a value: JSON such as 24, true or ["a", "b"]; anything else is a string.

    provision_packages and target_dns have to be lists.

    Example: diaken settings set snapshot_retention_hours 48

    Example: diaken settings set ntp_servers '["10.0.0.1", "10.0.0.2"]'
    """
    from diaken_cli.actions.inventory import set_setting
    from diaken_cli.actions.validate import variable_name

    with asking(call) as ask:
        key = ask.text("KEY", key, "Setting", variable_name)
        value = ask.text("VALUE", value, "Value")
        stored = set_setting(call.store, key=key, text=value, emit=call.emit)
        call.output.print_change(_shape(key, stored), f"{key} is {_text(stored)}")


@command(app)
def unset(call: Call, key: Key = None) -> None:
    """Remove a setting; its default, if it has one, applies again.

    Example: diaken settings unset ntp_servers

    Example: diaken settings unset snapshot_retention_hours
    """
    with asking(call) as ask:
        key = _ask_key(call, ask, key)
        call.store.inventory.unset_setting(key)
        value = call.store.inventory.settings().get(key)
        message = f"{key} is unset" if value is None else f"{key} is {_text(value)}, the default"
        call.output.print_change(_shape(key, value), message)


def _ask_key(call: Call, ask: Questions, key: str | None) -> str:
    return ask.existing("KEY", key, "Setting", lambda: call.store.inventory.settings())


def _shape(key: str | None, value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def _text(value: Any) -> str:
    """A text as it is, so that a shell can use it; all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
