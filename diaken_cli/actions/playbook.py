"""Run one playbook on some hosts: the one way, for a host, a group, a schedule and a deploy."""

import os
import shlex
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diaken_cli import files
from diaken_cli.actions import password_variables
from diaken_cli.actions.trusted import (
    refuse_exposed_vaults,
    refuse_open_file,
    refuse_open_playbook,
)
from diaken_cli.config import Config, SshConfig
from diaken_cli.context import Context
from diaken_cli.errors import AnsibleNotStarted, Canceled, NotFound, TimedOut
from diaken_cli.requests import RunOptions
from diaken_cli.runs.active import ActiveRun
from diaken_cli.services import credentials
from diaken_cli.services.ansible import catalog, launch
from diaken_cli.services.ansible.extra_variables import extra_variables
from diaken_cli.services.ansible.repository import Repository
from diaken_cli.services.ansible.syntax import may_end_in_the_middle, syntax_check
from diaken_cli.services.ansible.work import (
    FORKS,
    Inventory,
    Outcome,
    SshSettings,
    Target,
    Work,
)
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.types import SecretKind


def run_playbook(
    name: str,
    hosts: Sequence[HostRecord],
    options: RunOptions,
    *,
    context: Context,
    run: ActiveRun,
    variables: Mapping[str, Any] | None = None,
    vaults_by_label: bool = False,
) -> Outcome:
    """Run it once, on all hosts in parallel; opens no run and takes no lock.

    `variables` are extra variables beside those of the options. `vaults_by_label`: the command has
    `--vault-id` alone. That hosts failed is in the outcome. Raises AnsibleNotStarted, SecretError,
    and Canceled or TimedOut when it had to be stopped; nothing of it goes on then.
    """
    config = context.config
    work = _work(
        name,
        hosts,
        options,
        context.store,
        config,
        variables,
        mark=run.uid,
        lock=run.lock_path,
    )
    for warning in vaults_not_used(work.repository, options, config, by_label=vaults_by_label):
        run.warn(warning)
    command = options.become_password_command or config.ansible.become_password_command
    if work.become and command:
        work = replace(
            work,
            become_password=_become_password(command, run.stop),
            become_password_command=tuple(command),
        )
    outcome = launch.run_ansible(work, run.emit, _should_stop(run))
    run.flush()
    if outcome.canceled:
        run.stop.check()
        raise Canceled(outcome.reason or "stopped")
    if outcome.timed_out:
        where = "--timeout" if options.timeout else "timeout under [ansible] in the config file"
        raise TimedOut(outcome.reason or "timed out", hint=f"Allow more time with {where}.")
    if not outcome.started:
        raise AnsibleNotStarted(
            f"Ansible did not start {name}: {outcome.reason}",
            headline=outcome.reason,
            hint=f"Check it with: diaken playbooks show {name}",
        )
    return outcome


def vaults_not_used(
    repository: Repository, options: RunOptions, config: Config, *, by_label: bool = False
) -> list[str]:
    """Warnings on vaults of a repository that the run does not open; see Repository."""
    section = config.ansible
    if options.vault_ids or options.vault_password_file or section.vault_password_file:
        return []
    return repository.vaults_not_used(by_label=by_label)


def check_start(
    name: str,
    hosts: Sequence[HostRecord],
    options: RunOptions,
    store: Store,
    config: Config,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Have Ansible look at a playbook. Raises AnsibleNotStarted where it would not start it."""
    if refused := start_error(name, hosts, options, store, config, should_stop):
        raise refused


def refuse_exposed(name: str, options: RunOptions, config: Config) -> None:
    """Raise AccessError where others can change what is to be run; NotFound for no playbook."""
    _refuse_exposed(catalog.find(name, config.playbooks.paths), options, config)


def _refuse_exposed(playbook: catalog.Playbook, options: RunOptions, config: Config) -> None:
    refuse_open_playbook(playbook)
    vault = options.vault_password_file or config.ansible.vault_password_file
    opening = [vault, *(vault_id.partition("@")[2] for vault_id in options.vault_ids)]
    refuse_exposed_vaults(Path(path) for path in opening if path)
    for var in options.extra_vars:
        if var.startswith("@"):
            path = os.path.expanduser(var[1:])  # noqa: PTH111 - of an account that is not there
            refuse_open_file(Path(path), "the variables file")
    if config.ssh.known_hosts is not None:
        refuse_open_file(config.ssh.known_hosts, "the known_hosts file")


def should_be_checked(name: str, options: RunOptions, config: Config) -> bool:
    """Whether to ask Ansible beforehand: it might refuse the playbook after something was changed.

    Where not, Ansible itself tells at its start, and a run is spared the second that asking takes.
    """
    if options.snapshot:
        return True
    return may_end_in_the_middle(catalog.find(name, config.playbooks.paths).path)


def start_error(
    name: str,
    hosts: Sequence[HostRecord],
    options: RunOptions,
    store: Store,
    config: Config,
    should_stop: Callable[[], bool] = lambda: False,
    variables: Mapping[str, Any] | None = None,
) -> AnsibleNotStarted | None:
    """Why Ansible would refuse a playbook with these hosts and variables, or None.

    There may be no hosts yet. `variables` are those beside the options'. It takes a second or two;
    nothing is known where `should_stop` has ended it. Raises AnsibleNotStarted where there is no
    such playbook, no file of its variables, or no Ansible.
    """
    work = _work(
        name,
        hosts,
        options,
        store,
        config,
        variables,
        mark=str(uuid.uuid4()),
        lock=Path(os.devnull),
    )
    complaint = syntax_check(work, should_stop)
    if complaint is None:
        return None
    warnings = vaults_not_used(work.repository, options, config)
    return AnsibleNotStarted(
        f"Ansible would not start {name}: {complaint}",
        headline=complaint,
        hint="\n".join([*warnings, f"Check it with: diaken playbooks show {name}"]),
    )


def _work(
    name: str,
    hosts: Sequence[HostRecord],
    options: RunOptions,
    store: Store,
    config: Config,
    variables: Mapping[str, Any] | None,
    *,
    mark: str,
    lock: Path,
) -> Work:
    """What Ansible is asked for, but for the password of `become`.

    Raises AnsibleNotStarted; AccessError where others can change what is to be run.
    """
    try:
        playbook = catalog.find(name, config.playbooks.paths)
        option_variables = extra_variables(options.extra_vars, Path.cwd())
    except (NotFound, ValueError) as fault:
        raise _not_started(name, fault) from fault
    _refuse_exposed(playbook, options, config)
    section = config.ansible
    vault = options.vault_password_file or section.vault_password_file
    work = Work(
        name=name,
        playbook=playbook.path,
        targets=tuple(ansible_target(host, config.ssh) for host in hosts),
        mark=mark,
        lock=lock,
        ssh=ssh_settings(store, config.ssh),
        inventory=ansible_inventory(store, hosts, config.ssh) if hosts else Inventory(),
        settings=store.inventory.settings(),
        extra_variables=(*option_variables, *([variables] if variables else [])),
        options=options,
        forks=options.forks or section.forks or FORKS,
        pipelining=section.pipelining,
        timeout=options.timeout or section.timeout,
        become=section.become if options.become is None else options.become,
        vault_password_file=Path(vault) if vault else None,
        hidden_environment=password_variables.names(store),
        repository=playbook.repository(),
    )
    _check_files(work)
    return work


def _check_files(work: Work) -> None:
    """Raise AnsibleNotStarted where Ansible, or ssh(1), would wait at a pipe in a file's place."""
    keys = {"SSH key": {work.ssh.key, *(host.key for host in work.targets)}}
    vaults = {vault_id.partition("@")[2] for vault_id in work.options.vault_ids}
    kinds: Mapping[str, set[Any]] = {
        **keys,
        "vault password file": {work.vault_password_file, *vaults},
        "known_hosts file": {work.ssh.known_hosts},
    }
    for kind, paths in kinds.items():
        for path in sorted({str(path) for path in paths if path}):
            try:
                files.check_regular(os.path.expanduser(path))  # noqa: PTH111
            except files.FileRefused as fault:
                reason = f"the {kind} {path} can't be read: {fault.strerror}"
                raise AnsibleNotStarted(f"Ansible did not start {work.name}: {reason}") from None
    refuse_open_file(work.ssh.known_hosts, "the known_hosts file")


def _not_started(name: str, fault: NotFound | ValueError) -> AnsibleNotStarted:
    """The playbook is gone, or a file of variables."""
    if isinstance(fault, NotFound):
        return AnsibleNotStarted(fault.message, hint=fault.hint)
    return AnsibleNotStarted(f"Ansible did not start {name}: {fault}")


def _should_stop(run: ActiveRun) -> Callable[[], bool]:
    """Whether a stop was requested; the first time says so at once, for stopping takes seconds."""
    notified = False

    def should_stop() -> bool:
        nonlocal notified
        run.flush_in_time()  # what was said can be read from elsewhere while a task goes on
        if run.stop.requested() and not notified:
            notified = True
            run.warn("stopping Ansible and its tasks on the hosts…")
        return notified

    return should_stop


def ansible_target(host: HostRecord, ssh: SshConfig) -> Target:
    """How Ansible reaches a host: its own values, then those of the config file.

    To Ansible hosts stand in the order in which they were added, as in a file that grows.
    """
    key = host.key or ssh.key
    return Target(
        name=host.name,
        address=host.ip,
        user=host.user or ssh.user,
        port=host.port or ssh.port,
        key=Path(key) if key else None,
        python=host.python or ssh.python,
        groups=host.groups,
        variables=host.vars,
        place=host.id,
    )


def ssh_settings(store: Store, ssh: SshConfig) -> SshSettings:
    """How SSH behaves: host keys are kept beside the database unless the config file says where."""
    return SshSettings(
        known_hosts=ssh.known_hosts or store.beside("known_hosts"),
        connect_timeout=ssh.connect_timeout,
        extra_args=tuple(ssh.extra_args),
        user=ssh.user,
        port=ssh.port,
        key=ssh.key,
        python=ssh.python,
    )


def ansible_inventory(store: Store, hosts: Sequence[HostRecord], ssh: SshConfig) -> Inventory:
    """The rest of the inventory of these hosts' environment: groups, other hosts, variables."""
    environment = hosts[0].environment
    place = store.inventory.environment(environment)
    targets = {host.id for host in hosts}
    return Inventory(
        environment=environment,
        groups={
            group.name: group.vars for group in store.inventory.groups(environment=environment)
        },
        others=tuple(
            ansible_target(host, ssh)
            for host in store.inventory.hosts(environment_id=hosts[0].environment_id)
            if host.id not in targets
        ),
        variables=place.vars if place else {},
    )


def _become_password(command: Sequence[str], stop: Stop) -> str:
    command_line = shlex.join(command)
    try:
        return credentials.resolve(
            SecretKind.COMMAND, command_line, os.environ, stop.requested
        ).reveal()
    except Canceled:
        stop.check()  # it says by what
        raise
