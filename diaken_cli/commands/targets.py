"""Questions for the target of a command: environment, group, host, playbook or run."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from diaken_cli.commands.call import Call
from diaken_cli.commands.line_input import SHOWN
from diaken_cli.commands.prompts import Questions, asking
from diaken_cli.errors import InvalidInput, Mistake, NotFound

if TYPE_CHECKING:
    from diaken_cli.options import TypedOptions
    from diaken_cli.store.records import HostRecord
    from diaken_cli.store.run_records import RunRecord

NEWEST_RUNS = 1000
LONGEST_NUMBER = 18
"""Digits: SQLite's numbers have 64 bits, and Python refuses to read more than 4300 digits."""

TARGET = "Target (host or group name; empty: choose step by step)"
MANY_HOSTS = "Host (empty: choose step by step)"
HOST_OR_GROUP = ("host", "group")


def ask_host(
    call: Call, ask: Questions, option: str, typed: str | None, environment: str | None = None
) -> str | None:
    """An active host of any environment: its name is in one only.

    Where they are too many to be listed, TAB completes them, and an empty answer leads to them.
    """
    if typed is not None or not call.may_ask:
        return typed
    hosts = [h for h in call.store.inventory.hosts() if environment in (None, h.environment)]
    names = [host.name for host in hosts]
    if len(names) <= SHOWN:
        return ask.choice(option, None, "Host", lambda: names)
    if name := ask.name(MANY_HOSTS, names):
        return ask.record(option, name)
    return _host_step_by_step(ask, option, hosts, environment)


def _host_step_by_step(
    ask: Questions, option: str, hosts: "list[HostRecord]", environment: str | None
) -> str | None:
    """A host after its environment; where they are too many to be listed, its group."""
    if environment is None:
        environments = sorted({host.environment for host in hosts})
        environment = _narrow(ask, "Environment", environments)
    hosts = [host for host in hosts if environment in (None, host.environment)]
    if len(hosts) > SHOWN:
        groups = sorted({name for host in hosts for name in host.groups})
        group = _narrow(ask, "Group of the host", groups, empty="any")
        hosts = [host for host in hosts if group is None or group in host.groups]
    return ask.choice(option, None, "Host", lambda: [host.name for host in hosts])


def ask_group(
    call: Call, ask: Questions, option: str, typed: str | None, environment: str | None
) -> tuple[str | None, str | None]:
    """A group that has an active host, and its environment.

    The line without questions names both: it means this group also when another environment gets
    one of that name.
    """
    if not call.may_ask:
        return typed, environment
    if typed is not None:
        return typed, ask.environment_of(typed, environment)
    typed_environment = environment
    grouped = [host for host in call.store.inventory.hosts() if host.groups]
    environments = sorted({host.environment for host in grouped})
    if len(environments) > 1:
        environment = ask.choice("--environment", environment, "Environment", lambda: environments)
    elif environment is None and environments:
        environment = environments[0]
    names = [name for host in grouped if host.environment == environment for name in host.groups]
    only_one = len(environments) == 1 and typed_environment is None
    label = f"Group of {environments[0]}" if only_one else "Group"
    group = ask.choice(option, None, label, lambda: sorted(set(names)))
    if only_one and group:
        ask.record("--environment", environments[0])
    return group, environment


def record_environment(call: Call, ask: Questions, group: str) -> None:
    """Add the only environment of a group that was typed alone to the line without questions."""
    environments = [record.environment for record in call.store.inventory.groups(name=group)]
    if ask.answered and len(environments) == 1:
        ask.record("--environment", environments[0])


def ask_environment(call: Call, ask: Questions, option: str, typed: str | None) -> str | None:
    """An environment that has an active host."""

    def names() -> list[str]:
        return sorted({host.environment for host in call.store.inventory.hosts()})

    return ask.choice(option, typed, "Environment", names)


def ask_target(
    call: Call, ask: Questions, host: str | None, group: str | None, environment: str | None
) -> tuple[str | None, str | None, str | None]:
    """`--host` or `--group`, and `--environment`: one host, or a whole group.

    An empty answer, or the word "host" or "group", leads to the names by questions.
    """
    if host is not None or not call.may_ask:
        return host, group, environment
    hosts = call.store.inventory.hosts()
    whole_group = None
    if group is None and hosts:
        candidates = [host for host in hosts if environment in (None, host.environment)]
        names = {host.name for host in candidates}
        groups = {name for host in candidates for name in host.groups} - names
        whole = ask.name(TARGET, sorted(names | groups), HOST_OR_GROUP)
        if whole == "":
            label = "One host or a whole group"
            whole = ask.choice(None, None, label, lambda: HOST_OR_GROUP, default="host") or ""
        if whole in names:
            return ask.record("--host", whole), None, environment
        if whole in groups:
            group = whole_group = ask.record("--group", whole)
        elif whole == "host":
            return _host_step_by_step(ask, "--host", hosts, environment), None, environment
    group, environment = ask_group(call, ask, "--group", group, environment)
    if whole_group and environment is None:
        record_environment(call, ask, whole_group)
    return None, group, environment


def ask_playbook(call: Call, ask: Questions, option: str, typed: str | None) -> str | None:
    """A playbook of the configured folders, or one that ships."""

    def names() -> Iterator[str]:
        from diaken_cli.services.ansible.catalog import list_playbooks

        return (playbook.name for playbook in list_playbooks(call.config.playbooks.paths))

    return ask.choice(option, typed, "Playbook", names)


def decides_snapshot(options: "TypedOptions") -> bool:
    """Whether the options decide about a snapshot; a check changes nothing and needs none."""
    return "snapshot" in options or bool(options.get("require_snapshot") or options.get("check"))


def ask_for_snapshot(ask: Questions, hosts: "Iterable[HostRecord]") -> bool | None:
    """Whether with a snapshot, where one of the hosts has a VM that diaken can reach."""
    if not any(host.vcenter for host in hosts):
        return None
    answer = ask.choice(
        None, None, "Snapshot of each VM first", lambda: ("yes", "no"), default="no"
    )
    if answer != "yes":
        return None
    ask.record("--snapshot")
    return True


def ask_run(
    call: Call, typed: str | None, fits: "Callable[[RunRecord], bool]" = lambda _: True
) -> int:
    """The number of a run; a question shows the newest ones that fit."""
    with asking(call) as ask:
        if typed is None and call.may_ask:
            from diaken_cli.render.runs import title_of
            from diaken_cli.store.run_records import RunFilter

            newest = call.store.history.select(RunFilter(limit=NEWEST_RUNS))
            titles = {str(run.id): f"{title_of(run)}, {run.status}" for run in newest if fits(run)}
            typed = ask.choice("RUN", None, "Run", lambda: titles, descriptions=titles)
        return _run_number(typed)


def _run_number(typed: str | None) -> int:
    """The number of a run that was typed. Raises InvalidInput; NotFound for too long a one."""
    hint = "See: diaken history list"
    if typed is None or not (typed.isascii() and typed.isdigit()):
        message = "is required" if typed is None else "must be a run number"
        raise InvalidInput([Mistake("RUN", typed, message)], hint=hint)
    if len(typed) > LONGEST_NUMBER:
        raise NotFound(f"run {typed[:LONGEST_NUMBER]}… does not exist", hint=hint)
    return int(typed)


def _narrow(
    ask: Questions, label: str, names: list[str], *, empty: str | None = None
) -> str | None:
    """Ask for a name that only narrows the next question; None where there are less than two.

    `empty` describes an empty answer; None where an answer is required.
    """
    if len(names) < 2:
        return None
    return ask.choice(None, None, label, lambda: names, required=empty is None, empty=empty or "")
