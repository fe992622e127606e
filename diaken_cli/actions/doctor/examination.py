"""Makes all checks, in the order of the report; one that needs what is broken is skipped."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from diaken_cli.actions.doctor import (
    Check,
    Finding,
    Health,
    Look,
    Skipped,
    database,
    local_files,
    run_checks,
    services,
)
from diaken_cli.actions.password_variables import withhold
from diaken_cli.actions.playbook import ssh_settings
from diaken_cli.actions.schedules.warnings import locked_default_keys, named_keys
from diaken_cli.config import Config
from diaken_cli.runs.dead_runs import reap
from diaken_cli.store import Store
from diaken_cli.store.engines import is_full

SECONDS = 60.0
"""All checks run at the same time, for at most this long; that of the database runs before."""
NEED_CONFIG = ("database", "runs", "playbooks", "ssh_key", "known_hosts", "vcenter")
NEED_CONFIG_TOO = ("cron", "hosts_file", "snapshots")  # these come after Ansible, which needs none
ANSIBLE = Check("ansible", "ansible-playbook")


def examine(explicit: Path | None, environ: Mapping[str, str], now: datetime) -> list[Finding]:
    """The findings of all checks; `explicit` is the config file of `--config`. Never raises."""
    config, findings = local_files.read_config(explicit, environ)
    if config is None:
        findings += [Check(name, "all").skipped(Skipped.NO_CONFIG) for name in NEED_CONFIG]
        findings += run_checks([(ANSIBLE, services.check_ansible)], SECONDS)
        findings += [Check(name, "all").skipped(Skipped.NO_CONFIG) for name in NEED_CONFIG_TOO]
        return findings
    passwords = Check("config", "Ansible passwords")
    look = partial(local_files.check_ansible_passwords, config.ansible)
    findings += run_checks([(passwords, look)], SECONDS)
    path = config.database.path
    store, of_database = _examine_database(path)
    findings += of_database
    is_missing = not _has_problem(of_database) and not path.exists()
    reason = Skipped.NO_DATABASE_YET if is_missing else Skipped.NO_DATABASE
    return findings + run_checks(list(_checks(config, store, environ, now, reason)), SECONDS)


def _examine_database(path: Path) -> tuple[Store | None, list[Finding]]:
    """The database as commands open it, or None where that fails; and the findings about it."""
    check = Check("database", str(path))
    room = run_checks([(check, partial(database.check_room, path))], SECONDS)
    findings = run_checks([(check, partial(database.check_database, path))], SECONDS)
    if _has_problem(findings) or not path.exists():
        return None, room + findings
    opened: list[Store] = []

    def look() -> Iterable[Finding]:
        store = Store(path)
        withhold(store)
        reap(store)
        opened.append(store)
        return ()

    refused = run_checks([(check, look)], SECONDS)
    if not refused:
        return opened[0], room + findings
    return None, room + findings + ([] if is_full(path) else refused)  # `room` says so


def _has_problem(findings: Iterable[Finding]) -> bool:
    return any(finding.status is Health.PROBLEM for finding in findings)


def _checks(
    config: Config,
    store: Store | None,
    environ: Mapping[str, str],
    now: datetime,
    reason: Skipped,
) -> Iterable[tuple[Check, Look]]:
    """The checks; where there is no `store`, those that need it are skipped for that `reason`."""
    folders = config.playbooks.paths

    # SQLite is asked by each thread on its own. Without it, only `part` of some checks is skipped.
    def with_store(
        check: Check, look: Callable[[Store], Iterable[Finding]], *, part: bool = False
    ) -> tuple[Check, Look]:
        if store is None:
            subject = check.subject if part else "all"
            return check, lambda: [Check(check.name, subject).skipped(reason)]
        return check, partial(look, store)

    yield with_store(Check("runs", "history"), database.check_runs)
    yield Check("playbooks", "all"), partial(local_files.check_playbooks, folders)
    yield with_store(
        Check("playbooks", "tasks"),
        lambda store: local_files.check_tasks(store, folders),
        part=True,
    )
    yield from _ssh_keys(config, store, has_agent=bool(environ.get("SSH_AUTH_SOCK")))
    yield with_store(
        Check("known_hosts", "file"),
        lambda store: services.check_known_hosts(ssh_settings(store, config.ssh).known_hosts),
    )
    yield ANSIBLE, services.check_ansible
    yield from _vcenters(store, reason)
    yield Check("cron", "lines"), partial(services.check_cron, config, store, now)
    if store is None:
        ticks = Check("cron", "ticks")
        yield ticks, lambda: [ticks.skipped(reason)]
    yield with_store(
        Check("hosts_file", str(config.hosts_file.path)),
        lambda store: local_files.check_hosts_file(store, config.hosts_file),
    )
    yield with_store(
        Check("snapshots", "settings"),
        lambda store: local_files.check_snapshots(store, config.snapshots.log_file),
    )


def _ssh_keys(
    config: Config, store: Store | None, *, has_agent: bool
) -> Iterable[tuple[Check, Look]]:
    """A check for each key that the config file or a host names, or that ssh(1) chooses itself."""
    yield Check("ssh_key", "ssh"), services.check_ssh_programs
    hosts = store.inventory.hosts() if store else []
    configured = [] if config.ssh.key is None else [config.ssh.key]
    named = services.unique_keys([*configured, *named_keys(hosts, config)])

    def look_at(key: Path) -> Iterable[Finding]:
        yield services.check_key(key, has_agent=has_agent)

    for key in named:
        yield Check("ssh_key", str(key)), partial(look_at, key)
    if config.ssh.key is not None or (hosts and all(host.key for host in hosts)):
        return
    check = Check("ssh_key", "none")

    def look_at_chosen() -> Iterable[Finding]:
        locked = services.unique_keys(locked_default_keys(hosts, config, store)) if store else []
        for key in locked:
            if key not in named:
                yield from look_at(key)
        if not locked:
            yield check.ok("ssh uses its default keys")

    yield check, look_at_chosen


def _vcenters(store: Store | None, reason: Skipped) -> Iterable[tuple[Check, Look]]:
    if store is None:
        yield Check("vcenter", "all"), lambda: [Check("vcenter", "all").skipped(reason)]
        return
    vcenters = store.inventory.vcenters()
    for vcenter in vcenters:
        yield Check("vcenter", vcenter.name), partial(services.check_vcenter, vcenter)
    if not vcenters:
        check = Check("vcenter", "none")
        yield check, lambda: [check.ok("add one with: diaken vcenters add")]
