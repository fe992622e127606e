"""`diaken vcenters`: named connections; where a password is, is stored, and never what it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking, confirm
from diaken_cli.errors import (
    CertificateRefused,
    DiakenError,
    LoginRefused,
    SecretError,
    Unreachable,
)
from diaken_cli.inventory_options import VCENTER_OPTIONS, VCenterOptions

if TYPE_CHECKING:
    from diaken_cli.actions.vcenters import ConnectionTest
    from diaken_cli.store.records import VCenterRecord

Added = TypeVar("Added")

app = group("vcenters")

LABELS = {
    "server": "Server, HOST[:PORT]",
    "username": "Username",
    "password_command": "Command that prints it",
    "password_file": "Password file",
    "password_env": "Variable's name",
    "ca_file": "CA certificate file (PEM)",
}
PASSWORD_SOURCES = {
    "command": "password_command",
    "file": "password_file",
    "variable": "password_env",
}

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The vCenter's name here.")]
NoTest = Annotated[bool, typer.Option("--no-test", help="Store it without logging in.")]


@command(app, name="list")
def list_command(call: Call) -> None:
    """List the vCenters, with their numbers of hosts.

    Example: diaken vcenters list

    Example: diaken vcenters list --json
    """
    from diaken_cli.render.inventory import VCENTER_COLUMNS, VCENTER_SPARE, vcenter_as_json

    rows = [vcenter_as_json(vcenter) for vcenter in call.store.inventory.vcenters()]
    call.output.print_rows(rows, VCENTER_COLUMNS, nothing="no vCenters", spare=VCENTER_SPARE)


@command(app)
def add(call: Call, options: VCenterOptions, name: Name = None, no_test: NoTest = False) -> None:
    """Add a vCenter: log in, report missing privileges, and only then store it.

    Exit status 13: it can't be reached, or refuses the login; 10: its password can't be obtained,
    or others can read its file. Nothing is stored then. On a terminal, a refused answer is asked
    for again, and the others are kept.

    Example: diaken vcenters add main --server vc.example.com --username diaken@vsphere.local
    --password-command 'pass show vcenter'

    Example: diaken vcenters add lab --server 10.0.9.5:8443 --username root --password-file
    /etc/diaken/lab --ca-file /etc/diaken/lab-ca.pem
    """
    from diaken_cli.actions.vcenters import add_vcenter, test_and_add
    from diaken_cli.render.inventory import vcenter_as_json

    with asking(call) as ask:
        typed = options
        name, options = _ask_missing(call, ask, name, options)
        if no_test:
            added = _until_accepted(
                *(ask, typed, options),
                lambda options: add_vcenter(call.store, name=name, typed=options),
            )
            message = f"added vCenter {added.name}. Try it with: diaken vcenters test {added.name}"
            call.output.print_change(vcenter_as_json(added), message)
            return
        added, tested = _until_accepted(
            *(ask, typed, options),
            lambda options: test_and_add(call.store, name=name, typed=options),
        )
        about = f"{tested.product} at {tested.server}, as {tested.username}"
        call.output.print_change(vcenter_as_json(added), f"added vCenter {added.name}: {about}")
        _warn(call, tested)


@command(app)
def show(call: Call, name: Name = None) -> None:
    """Show a vCenter, and where its password comes from, never the password.

    Example: diaken vcenters show main

    Example: diaken vcenters show main --json | jq -r .server
    """
    from diaken_cli.render.inventory import vcenter_as_json, vcenter_as_text
    from diaken_cli.render.output import Format

    with asking(call) as ask:
        vcenter = _find(call, ask, name)
        for_people = call.output.format is Format.TEXT
        call.output.print_object(
            vcenter_as_text(vcenter) if for_people else vcenter_as_json(vcenter)
        )


@command(app, name="set")
def set_command(
    call: Call, options: VCenterOptions, name: Name = None, no_test: NoTest = False
) -> None:
    """Change a vCenter; options not given stay unchanged.

    It logs in first, as `vcenters add` does. Exit status 13: vCenter can't be reached, or refuses
    the login; 10: its password can't be obtained, or others can read its file. Nothing is changed
    then.

    Example: diaken vcenters set main --password-file /etc/diaken/vcenter --ca-file /etc/ssl/ca.pem

    Example: diaken vcenters set main --username diaken@vsphere.local --datacenter Madrid
    """
    from diaken_cli.actions.vcenters import set_vcenter, test_and_set
    from diaken_cli.render.inventory import vcenter_as_json

    with asking(call) as ask:
        vcenter, typed = _find(call, ask, name), options
        if no_test:
            changed, tested = set_vcenter(call.store, vcenter, typed=typed), None
        else:
            changed, tested = test_and_set(call.store, vcenter, typed=typed)
        call.output.print_change(vcenter_as_json(changed), f"changed vCenter {changed.name}")
        if tested is not None:
            _warn(call, tested)


@command(app)
def remove(
    call: Call,
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove a vCenter that no host uses. In vCenter nothing is changed.

    Example: diaken vcenters remove lab

    Example: diaken vcenters remove lab --yes
    """
    from diaken_cli.render.inventory import vcenter_as_json

    with asking(call) as ask:
        vcenter = _find(call, ask, name)
        confirm(call, f"Remove vCenter {vcenter.name} ({vcenter.server})?", yes=yes)
        call.store.inventory.remove_vcenter(vcenter)
        call.output.print_change(vcenter_as_json(vcenter), f"removed vCenter {vcenter.name}")


@command(app, name="test")
def check_command(call: Call, name: Name = None) -> None:
    """Log in, and show version, datacenters, clock difference and missing privileges.

    Exit status 13: it can't be reached, or refuses the login; 10: its password can't be obtained.

    Example: diaken vcenters test main

    Example: diaken vcenters test main --json
    """
    from diaken_cli.actions.vcenters import test as test_connection
    from diaken_cli.render.inventory import connection_test_as_json

    with asking(call) as ask:
        tested = test_connection(_find(call, ask, name))
        call.output.print_object(connection_test_as_json(tested))
        _warn(call, tested)


@command(app)
def browse(
    call: Call,
    name: Name = None,
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="WHAT",
            help="templates, networks, datastores, clusters, folders, vms, pools or hosts (ESXi).",
        ),
    ] = None,
    datacenter: Annotated[
        str | None,
        typer.Option("--datacenter", metavar="D", help="Limit to this datacenter (name or path)."),
    ] = None,
) -> None:
    """List what a vCenter has: templates, networks, datastores and more.

    Example: diaken vcenters browse main templates

    Example: diaken vcenters browse main networks
    """
    from diaken_cli.actions.vcenters import KINDS, look
    from diaken_cli.render.inventory import BROWSED_SPARE, browsed_as_json, browsed_columns

    with asking(call) as ask:
        vcenter = _find(call, ask, name)
        kind = ask.choice("WHAT", kind, "What", lambda: KINDS)
        rows = [browsed_as_json(row) for row in look(vcenter, kind, datacenter)]
        columns = browsed_columns(rows[0]) if rows else {}
        call.output.print_rows(rows, columns, nothing=f"no {kind}", spare=BROWSED_SPARE)


def _warn(call: Call, tested: "ConnectionTest") -> None:
    """Warn of missing privileges and of a clock that differs, after a login."""
    from diaken_cli.actions.vcenters import CLOCK_TOLERANCE

    if tested.missing_privileges:
        lacking = ", ".join(tested.missing_privileges)
        where = f"on {tested.datacenter or 'the root folder'}"
        call.output.warn(f"{tested.username} may lack privileges {where}: {lacking}")
    if abs(tested.clock_difference) > CLOCK_TOLERANCE:
        call.output.warn(
            "its clock differs from this machine's: retention goes by the vCenter's clock"
        )


def _find(call: Call, ask: Questions, name: str | None) -> "VCenterRecord":
    from diaken_cli.actions.inventory import find_vcenter

    name = ask.existing(
        "NAME",
        name,
        "vCenter",
        lambda: (vcenter.name for vcenter in call.store.inventory.vcenters()),
    )
    return find_vcenter(call.store, name)


def _ask_missing(
    call: Call, ask: Questions, name: str | None, options: VCenterOptions
) -> tuple[str | None, VCenterOptions]:
    """Name and options, completed by questions; never for a password itself."""
    from diaken_cli import units
    from diaken_cli.actions.vcenters import mistakes_of_new

    def free_name(text: str) -> None:
        if call.store.inventory.vcenter(units.check_label(text)):
            raise ValueError(f"vCenter {text} already exists")

    ask.reject_invalid(lambda: mistakes_of_new(call.store, name, options))
    name = ask.text("NAME", name, "Name for the vCenter", free_name)
    options = replace(
        options,
        server=_ask(ask, "server", options.server),
        username=_ask(ask, "username", options.username),
    )
    if all(getattr(options, field) is None for field in PASSWORD_SOURCES.values()):
        options = replace(options, **_ask_password(ask))
    if ask.answered and options.ca_file is None and options.insecure is None:
        options = replace(options, **_ask_tls(ask))
    return name, options


def _ask(
    ask: Questions, field: str, typed: str | None = None, current: str | None = None
) -> str | None:
    option = VCENTER_OPTIONS[field]
    if current is not None:
        return ask.again(option.name, LABELS[field], option.parse, current)
    return ask.text(option.name, typed, LABELS[field], option.parse)


def _ask_password(ask: Questions, current: VCenterOptions | None = None) -> dict[str, Any]:
    """Ask where the password is, and where exactly; empty answers keep what is current."""
    fields = {source: getattr(current, field, None) for source, field in PASSWORD_SOURCES.items()}
    chosen = next((source for source, value in fields.items() if value is not None), None)
    label = "Where is the password?"
    source = ask.choice(None, None, label, lambda: PASSWORD_SOURCES, default=chosen)
    if source is None:
        return {}
    ask.withdraw(*(VCENTER_OPTIONS[field].name for field in PASSWORD_SOURCES.values()))
    field = PASSWORD_SOURCES[source]
    answer = _ask(ask, field, current=fields[source])
    return dict.fromkeys(PASSWORD_SOURCES.values()) | {field: answer}


def _ask_tls(ask: Questions, current: VCenterOptions | None = None) -> dict[str, Any]:
    """Ask how the certificate is verified; an empty answer leaves that to this machine."""
    ca_file = None if current is None else current.ca_file
    verification = ask.choice(
        None,
        None,
        "Certificate verification",
        lambda: ("system", "ca-file", "insecure"),
        default="ca-file" if ca_file else "system",
    )
    ask.withdraw("--insecure", "--ca-file")
    if verification == "insecure":
        ask.record("--insecure")
        return {"insecure": True, "ca_file": None}
    if verification == "ca-file":
        return {"insecure": None, "ca_file": _ask(ask, "ca_file", current=ca_file)}
    return {"insecure": None, "ca_file": None}


def _until_accepted(
    ask: Questions,
    typed: VCenterOptions,
    options: VCenterOptions,
    add: Callable[[VCenterOptions], Added],
) -> Added:
    """Add a vCenter; what was answered and is refused is asked for again, all else is kept.

    What was `typed` is no answer: where that is wrong, the error is raised.
    """
    while True:
        try:
            return add(options)
        except DiakenError as refused:
            questions = _questions_about(refused, typed) if ask.answered else []
            if not questions:
                raise
            for line in filter(None, (refused.message, refused.hint)):
                ask.show(line)
            ask.show("Answer again; an empty line keeps it:")
            for question in questions:
                options = replace(options, **question(ask, options))


def _questions_about(
    refused: DiakenError, typed: VCenterOptions
) -> list[Callable[[Questions, VCenterOptions], dict[str, Any]]]:
    """The questions whose answers an error is about."""
    is_typed = {field for field, value in vars(typed).items() if value is not None}
    questions: list[Callable[[Questions, VCenterOptions], dict[str, Any]]] = []
    if isinstance(refused, Unreachable) and "server" not in is_typed:
        questions.append(_ask_server)
    if isinstance(refused, LoginRefused) and "username" not in is_typed:
        questions.append(_ask_username)
    about_password = isinstance(refused, LoginRefused | SecretError)
    if about_password and is_typed.isdisjoint(PASSWORD_SOURCES.values()):
        questions.append(_ask_password)
    if isinstance(refused, CertificateRefused) and is_typed.isdisjoint(("ca_file", "insecure")):
        questions.append(_ask_tls)
    return questions


def _ask_server(ask: Questions, current: VCenterOptions) -> dict[str, Any]:
    return {"server": _ask(ask, "server", current=current.server)}


def _ask_username(ask: Questions, current: VCenterOptions) -> dict[str, Any]:
    return {"username": _ask(ask, "username", current=current.username)}
