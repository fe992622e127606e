"""All checks, in the order in which they are told; what depends on something broken says so."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from diaken_cli.actions import keys
from diaken_cli.actions.doctor import (
    ansible,
    configuration,
    cron,
    database,
    exposed,
    history,
    hosts_file,
    playbooks,
    snapshots,
    ssh,
    vcenters,
)
from diaken_cli.actions.doctor.findings import (
    NOT_CHECKED,
    NOTHING_YET,
    About,
    Check,
    Finding,
    Health,
    carry_out,
)
from diaken_cli.actions.password_variables import withhold
from diaken_cli.actions.playbook import ssh_settings
from diaken_cli.actions.settling import reap
from diaken_cli.config import Config
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord

SECONDS = 60.0
"""All checks look at the same time, for at most this long; the database is looked at before."""


def examine(explicit: Path | None, environ: Mapping[str, str], now: datetime) -> list[Finding]:
    """Look at everything; `explicit` is the config file of `--config`. Never raises."""
    config, found = configuration.read(explicit, environ)
    if config is None:
        skipped = ("database", "runs", "playbooks", "ssh_key", "known_hosts", "vcenter")
        found += [_not_checked(each, "the config file") for each in skipped]
        found += carry_out([Check(About("ansible", "ansible-playbook"), ansible.check)], SECONDS)
        return found + [
            _not_checked(each, "the config file") for each in ("cron", "hosts_file", "snapshots")
        ]
    secrets = About("config", "passwords of Ansible")
    found += carry_out([Check(secrets, partial(exposed.check_configured, config))], SECONDS)
    path = config.database.path
    about = About("database", str(path))
    found += carry_out([Check(about, partial(database.check_room, path))], SECONDS)
    checked = carry_out([Check(about, partial(database.check, path))], SECONDS)
    found += checked
    store = _opened(path) if database.usable(checked, path) else None
    if isinstance(store, Finding):
        found += [] if database.is_full(path) else [store]  # that is told already
        store = None
    is_new = not path.exists() and all(each.status is not Health.PROBLEM for each in found)
    lacking = _nothing_yet if is_new else partial(_not_checked, for_lack_of="the database")
    return found + carry_out(list(_checks(config, store, environ, now, lacking)), SECONDS)


def _opened(path: Path) -> Store | Finding:
    """The database, as every command opens it; or what stands in the way."""
    opened: list[Store] = []

    def look() -> Iterable[Finding]:
        store = Store(path)
        withhold(store)
        reap(store)
        opened.append(store)
        return ()

    found = carry_out([Check(About("database", str(path)), look)], SECONDS)
    return found[0] if found else opened[0]


def _checks(
    config: Config,
    store: Store | None,
    environ: Mapping[str, str],
    now: datetime,
    lacking: Callable[[str], Finding],
) -> Iterable[Check]:
    """The checks; where there is no `store`, `lacking` says so of those that need it."""
    needs_store = partial(_with_store, store, lacking)  # SQLite is asked by each thread on its own
    folders = config.playbooks.paths
    yield needs_store("runs", "history", lambda given: history.check(given, now))
    yield Check(About("playbooks", "all"), partial(playbooks.check, folders))
    yield needs_store("playbooks", "tasks", lambda given: playbooks.check_tasks(given, folders))
    yield from _ssh(config, store, environ, lacking)
    yield Check(About("ansible", "ansible-playbook"), ansible.check)
    yield from _vcenters(store, lacking)
    yield Check(About("cron", "lines"), partial(cron.check, config, store, now))
    if store is None:
        yield Check(About("cron", "ticks"), lambda: [lacking("cron")])
    yield needs_store(
        "hosts_file",
        str(config.hosts_file.path),
        lambda given: hosts_file.check(given, config.hosts_file),
    )
    yield needs_store(
        "snapshots", "settings", lambda given: snapshots.check(given, config.snapshots.log_file)
    )


def _with_store(
    store: Store | None,
    lacking: Callable[[str], Finding],
    check: str,
    subject: str,
    look: Callable[[Store], Iterable[Finding]],
) -> Check:
    """A check that asks the database; without one it says that it could not."""
    if store is None:
        return Check(About(check, subject), lambda: [lacking(check)])
    return Check(About(check, subject), partial(look, store))


def _ssh(
    config: Config,
    store: Store | None,
    environ: Mapping[str, str],
    lacking: Callable[[str], Finding],
) -> Iterable[Check]:
    yield Check(About("ssh_key", "ssh"), ssh.check_programs)
    hosts = store.inventory.hosts() if store else []
    given = [] if config.ssh.key is None else [config.ssh.key]
    named = dict.fromkeys([*given, *keys.named(hosts, config)])
    has_agent = bool(environ.get("SSH_AUTH_SOCK"))
    for key in named:
        look = partial(ssh.check_key, key.expanduser(), has_agent=has_agent)
        yield Check(About("ssh_key", str(key)), look)
    if config.ssh.key is None and not (hosts and all(host.key for host in hosts)):
        look = partial(_own_keys, config, store, hosts, has_agent=has_agent)
        yield Check(About("ssh_key", "none"), look)
    yield _with_store(
        store,
        lacking,
        "known_hosts",
        "file",
        lambda given: ssh.check_known_hosts(ssh_settings(given, config.ssh).known_hosts),
    )


def _own_keys(
    config: Config, store: Store | None, hosts: Sequence[HostRecord], *, has_agent: bool
) -> Iterable[Finding]:
    locked = keys.locked_own(hosts, config, store) if store else []
    for key in locked:
        yield from ssh.check_key(key, has_agent=has_agent)
    if not locked:
        yield About("ssh_key", "none").ok("no key is named: ssh chooses among its own")


def _vcenters(store: Store | None, lacking: Callable[[str], Finding]) -> Iterable[Check]:
    if store is None:
        yield Check(About("vcenter", "all"), lambda: [lacking("vcenter")])
        return
    found = store.inventory.vcenters()
    for each in found:
        yield Check(About("vcenter", each.name), partial(vcenters.check, each))
    if not found:
        about = About("vcenter", "none")
        yield Check(about, lambda: [about.ok("there is none: diaken vcenters add")])


def _not_checked(check: str, for_lack_of: str) -> Finding:
    return About(check, "all").warning(f"{NOT_CHECKED}{for_lack_of} can't be used")


def _nothing_yet(check: str) -> Finding:
    return About(check, "all").ok(NOTHING_YET)
