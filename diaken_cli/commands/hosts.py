"""`diaken hosts`: the servers of the inventory, and the file that says their names."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.hosts_files import import_command, sync
from diaken_cli.commands.prompts import Questions, asking, confirm, raise_clash
from diaken_cli.inventory_options import HostChanges, HostOptions
from diaken_cli.render.output import Format

if TYPE_CHECKING:
    from diaken_cli.store.records import HostRecord

app = group("hosts")

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The host.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@command(app, name="list")
def list_command(
    call: Call,
    environment: Annotated[str | None, typer.Option("--environment", metavar="E")] = None,
    group_name: Annotated[str | None, typer.Option("--group", metavar="G")] = None,
    vcenter: Annotated[str | None, typer.Option("--vcenter", metavar="V")] = None,
    include_inactive: Annotated[
        bool, typer.Option("--all", help="Include inactive hosts.")
    ] = False,
) -> None:
    """List the active hosts, and those held by a deploy.

    Example: diaken hosts list --environment PROD --group web --all

    Example: diaken hosts list --json | jq -r '.[].name'
    """
    from diaken_cli.actions.hosts import select_hosts
    from diaken_cli.render.inventory import (
        HOST_COLUMNS,
        HOST_SPARE,
        host_as_json,
        host_as_text,
        hosts_total,
    )

    with asking(call) as ask:
        if group_name:
            environment = ask.environment_of(group_name, environment)
        hosts = select_hosts(
            call.store,
            environment=environment,
            group=group_name,
            vcenter=vcenter,
        )
        shape = host_as_text if call.output.format is Format.TEXT else host_as_json
        rows = [shape(host) for host in hosts if include_inactive or host.active]
        call.output.print_rows(
            rows,
            HOST_COLUMNS,
            nothing="no hosts" if include_inactive else "no active hosts",
            spare=HOST_SPARE if include_inactive else ("ACTIVE", *HOST_SPARE),
        )
        if hosts:
            call.output.print_totals(hosts_total(hosts, shown=len(rows)))
        for host in hosts:
            if host.deployed_by is not None and not host.active:
                call.output.info(
                    f"{host.name} is not active yet: it belongs to deploy run {host.deployed_by}."
                    f" See: diaken history show {host.deployed_by}"
                )


@command(app)
def add(
    call: Call,
    options: HostOptions,
    name: Name = None,
) -> None:
    """Add an existing server; `deploy vm` creates a new one.

    Example: diaken hosts add web01 --ip 10.0.4.21 --environment PROD --group web --vcenter main

    Example: diaken hosts add db01 --ip 10.0.4.31 --environment PROD --user admin --port 2222
    """
    from diaken_cli.actions.hosts import add_host
    from diaken_cli.caller import now
    from diaken_cli.render.inventory import host_as_json

    with asking(call) as ask:
        name, options = _ask_missing(call, ask, name, options)
        added = add_host(
            call.store,
            name=name,
            options=options,
            now=now(),
            hosts_file=call.config.hosts_file.path_if_enabled,
            emit=call.emit,
        )
        noun = "group" if len(added.groups) == 1 else "groups"
        place = f"{noun} {', '.join(added.groups)} of " if added.groups else ""
        message = f"added host {added.name} ({added.ip}) to {place}environment {added.environment}"
        call.output.print_change(host_as_json(added), message)


@command(app)
def show(call: Call, name: Name = None) -> None:
    """Show all that is known about a host.

    Example: diaken hosts show web01

    Example: diaken hosts show web01 --json | jq -r .ip
    """
    from diaken_cli.render.inventory import host_as_json, host_as_text

    shape = host_as_text if call.output.format is Format.TEXT else host_as_json
    with asking(call) as ask:
        call.output.print_object(shape(_find(call, ask, name)))


@command(app, name="set")
def set_command(
    call: Call,
    options: HostChanges,
    name: Name = None,
) -> None:
    """Change a host; options not given stay unchanged, and '' clears an optional value.

    --group lists all its groups, the main one first. Its VM is never touched.

    Example: diaken hosts set web01 --add-group monitored --var role=primary --user ''

    Example: diaken hosts set web01 --inactive
    """
    from diaken_cli.actions.hosts import set_host
    from diaken_cli.render.inventory import host_as_json

    with asking(call) as ask:
        host = _find(call, ask, name)
        changed = set_host(
            call.store,
            host,
            options=options,
            hosts_file=call.config.hosts_file.path_if_enabled,
            emit=call.emit,
        )
        is_deactivated = host.active and not changed.active
        message = f"changed host {changed.name}"
        if is_deactivated:
            message += "; it is inactive now, and its VM was not touched"
        elif changed.ip != host.ip and changed.vcenter is not None:
            message += f"; {_vm_address_note(changed)}"
        call.output.print_change(host_as_json(changed), message)
        if is_deactivated:
            _warn_remaining(call, changed)


@command(app)
def remove(call: Call, name: Name = None, yes: Yes = False) -> None:
    """Remove a host from the inventory and from /etc/hosts. Its VM is not touched.

    Example: diaken hosts remove web01

    Example: diaken hosts remove web01 --yes
    """
    from diaken_cli.actions.hosts import remove_host
    from diaken_cli.render.inventory import host_as_json

    with asking(call) as ask:
        host = _find(call, ask, name)
        confirm(call, f"Remove host {host.name} ({host.ip})? Its VM is not touched.", yes=yes)
        remove_host(
            call.store, host, hosts_file=call.config.hosts_file.path_if_enabled, emit=call.emit
        )
        message = f"removed host {host.name} ({host.ip}); its VM was not touched"
        call.output.print_change(host_as_json(host), message)
        _warn_remaining(call, host)


command(app)(sync)
command(app, name="import")(import_command)


@command(app, name="forget-key")
def forget_key(call: Call, name: Name = None) -> None:
    """Forget a host's SSH key, for example after the host was reinstalled.

    The next run accepts the key that the host then presents.

    Example: diaken hosts forget-key web01

    Example: diaken hosts forget-key web01 --json
    """
    from diaken_cli.actions.playbook import ssh_settings
    from diaken_cli.services.ansible.ssh import forget_host_keys

    with asking(call) as ask:
        host = _find(call, ask, name)
        ssh = call.config.ssh
        path = ssh_settings(call.store, ssh).known_hosts
        forgotten = forget_host_keys(path, host.name, host.ip, port=host.port or ssh.port)
        state = "was forgotten" if forgotten else "was not known"
        shape = {"host": host.name, "known_hosts": str(path), "forgotten": forgotten}
        call.output.print_change(shape, f"the SSH key of host {host.name} {state}")


def _find(call: Call, ask: Questions, name: str | None) -> "HostRecord":
    from diaken_cli.actions.inventory import find_host

    name = ask.existing(
        "NAME",
        name,
        "Host",
        lambda: (host.name for host in call.store.inventory.hosts(include_inactive=True)),
    )
    return find_host(call.store, name)


def _ask_missing(
    call: Call, ask: Questions, name: str | None, options: HostOptions
) -> tuple[str | None, HostOptions]:
    """Name and options, completed by questions; for a group only if others were asked, too."""
    from diaken_cli import units
    from diaken_cli.actions.hosts import mistakes_of_new

    def free_name(text: str) -> None:
        raise_clash(call.store.inventory.host_clashes(name=units.check_host_name(text)))

    def free_address(text: str) -> None:
        raise_clash(call.store.inventory.host_clashes(ip=units.check_ipv4(text)))

    ask.reject_invalid(lambda: mistakes_of_new(call.store, name, options))
    name = ask.text("NAME", name, "Host name", free_name)
    ip = ask.text("--ip", options.ip, "IPv4 address", free_address)
    environment = ask.choice(
        "--environment",
        options.environment,
        "Environment",
        lambda: (record.name for record in call.store.inventory.environments()),
    )
    groups = options.groups
    if ask.answered and groups is None:
        chosen = ask.choice(
            "--group",
            None,
            "Group",
            lambda: (
                record.name for record in call.store.inventory.groups(environment=environment)
            ),
            required=False,
        )
        groups = (chosen,) if chosen else None
    return name, replace(options, ip=ip, environment=environment, groups=groups)


def _vm_address_note(host: "HostRecord") -> str:
    """What the new address of a host means for its VM; vCenter is not connected to."""
    if host.vm_uuid is None:
        return f"its VM is the one that reports {host.ip}"
    return "its VM keeps its address"


def _warn_remaining(call: Call, host: "HostRecord") -> None:
    if host.vcenter is None:
        return
    from diaken_cli.actions.snapshots.host_vms import left_behind

    for sentence in left_behind(host, call.context.connect):
        call.output.warn(sentence)
