"""What may be asked of a playbook run, a task and a deploy; each option is declared here, once.

The commands take it from here, `[deploy]` of the config file its keys, and both check it alike; the
values are stored in this form.
"""

from dataclasses import dataclass, replace
from typing import Any

from diaken_cli import kinds
from diaken_cli.options import Option, option, options_of

ACCESS = "SSH access (default: the config file's)"
WHERE = "Placement (vSphere names or inventory paths)"
HARDWARE = "Hardware (default: the template's)"
PROVISIONING = "Provisioning"
SAFETY = "Safety"
SNAPSHOT = "Snapshot before the run"
ANSIBLE = "As in ansible-playbook"
SECRETS = "Privilege escalation and vaults"

PROVISION_PLAYBOOK = "provision_vm"
"""What each deploy runs first, where that is not turned off; it ships with diaken."""

USER = Option("--user", kinds.ACCOUNT, None, "The SSH user.", ACCESS)
PORT = Option("--port", kinds.PORT, "N", "The SSH port.", ACCESS)
KEY = Option("--key", kinds.KEY_FILE, "FILE", "The SSH private key.", ACCESS)
PYTHON = Option("--python", kinds.INTERPRETER, "PATH", "Python interpreter on the host.", ACCESS)
ENVIRONMENT = Option("--environment", kinds.TEXT, "E")
GROUP = Option("--group", kinds.TEXT, "G")
VCENTER = Option("--vcenter", kinds.TEXT, "V")
VAULT_ID = Option("--vault-id", kinds.VAULT_IDS, "LABEL@FILE")
WAIT = Option(
    *("--wait", kinds.DURATION, "DURATION"),
    "Wait this long for hosts locked by another run: 10m.",
)


# ── a run of a playbook ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class RunOptions:
    """The options of a playbook run; None or empty means "not given".

    `extra_vars` holds `K=V` and `@FILE` as given: a file is read when it is needed. `timeout` is in
    seconds, `vault_ids` are LABEL@FILE with the absolute path of the file.
    """

    snapshot: bool = option(
        *("--snapshot/--no-snapshot", kinds.FLAG),
        help="Take a snapshot of each host's VM first, all at the same time. If one can't be"
        " taken, the run continues without it, unless --require-snapshot is given.",
        panel=SNAPSHOT,
        default=False,
    )
    require_snapshot: bool | None = option(
        *("--require-snapshot/--no-require-snapshot", kinds.FLAG),
        help="Like --snapshot, but do not start if one can't be taken.",
        panel=SNAPSHOT,
        default=None,
    )
    check: bool = option(
        *("--check/--no-check", kinds.FLAG),
        help="Predict changes, make none.",
        panel=ANSIBLE,
        default=False,
    )
    diff: bool = option(
        *("--diff/--no-diff", kinds.FLAG),
        help="Show changes to files.",
        panel=ANSIBLE,
        default=False,
    )
    tags: tuple[str, ...] = option(
        "--tags", kinds.TAGS, "TAGS", "Only tasks with this tag.", panel=ANSIBLE, default=()
    )
    skip_tags: tuple[str, ...] = option(
        "--skip-tags", kinds.TAGS, "TAGS", panel=ANSIBLE, default=()
    )
    limit: str | None = option(
        *("--limit", kinds.TEXT, "PATTERN"),
        "Only hosts of the target that match: 'web0*:!web03'.",
        panel=ANSIBLE,
        default=None,
    )
    exclude: tuple[str, ...] = option(
        "--exclude",
        kinds.TEXTS,
        "HOST",
        "Leave out this host (repeatable).",
        panel=ANSIBLE,
        default=(),
    )
    extra_vars: tuple[str, ...] = option(
        *("--extra-var", kinds.TEXTS, "K=V|@FILE"),
        "An extra variable (repeatable). K=V is stored in the history as given; for secrets"
        " use @FILE: only its path is stored, and it is read when the run starts.",
        panel=ANSIBLE,
        short="-e",
        default=(),
    )
    forks: int | None = option(
        "--forks",
        kinds.FORK_COUNT,
        "N",
        "Hosts to work on at the same time.",
        panel=ANSIBLE,
        default=None,
    )
    timeout: int | None = option(
        *("--timeout", kinds.DURATION, "DURATION"),
        "Stop the playbook after this time: 30m, 2h.",
        panel=ANSIBLE,
        default=None,
    )
    become: bool | None = option("--become/--no-become", kinds.FLAG, panel=SECRETS, default=None)
    become_password_command: tuple[str, ...] = option(
        *("--become-password-command", kinds.COMMAND, "COMMAND"),
        "A command that prints the password, run without a shell.",
        panel=SECRETS,
        default=(),
    )
    vault_password_file: str | None = option(
        "--vault-password-file", kinds.EXISTING_FILE, "FILE", panel=SECRETS, default=None
    )
    vault_ids: tuple[str, ...] = replace(
        VAULT_ID,
        help="The password file of the vaults with that label, or a program that prints the"
        " password (repeatable).",
        panel=SECRETS,
    ).as_field(())


RUN_OPTIONS = options_of(RunOptions)


# ── a scheduled task ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ScheduleOptions:
    """The options of a scheduled task, those of its runs aside, as they were typed.

    None is "not typed". `at` and `every` are checked in the time zone that applies to them.
    """

    host: str | None = option("--host", kinds.TEXT, "HOST", default=None)
    group: str | None = replace(GROUP, metavar="GROUP").as_field(None)
    environment: str | None = ENVIRONMENT.as_field(None)
    playbook: str | None = option("--playbook", kinds.TEXT, "PLAYBOOK", default=None)
    at: str | None = option(
        *("--at", kinds.TEXT, "TIME"),
        "2026-12-01 03:00, 03:00, tomorrow 03:00, sun 03:00 (local time there), or +2h.",
        default=None,
    )
    timezone: str | None = option(
        *("--timezone", kinds.TIMEZONE, "ZONE"),
        "Europe/Madrid (default: `[scheduler] timezone`, else this machine's).",
        default=None,
    )
    every: str | None = option(
        *("--every", kinds.TEXT, "RULE"),
        "daily, weekly, monthly; the five fields of cron, without --at: '0 3 * * sun'; or an"
        " RRULE (RFC 5545).",
        default=None,
    )
    misfire_grace: str | None = option(
        *("--misfire-grace", kinds.DURATION, "DURATION"),
        "How late it may start; after that it is skipped and reported.",
        default=None,
    )


SCHEDULE_OPTIONS = options_of(ScheduleOptions)


# ── a VM to deploy ───────────────────────────────────────────────────────────────────────────


def _placement_option(written: str, help_text: str | None = None) -> Any:
    """An option for a place in vCenter's inventory."""
    return option(written, kinds.LINE, help=help_text, default=None, panel=WHERE, configurable=True)


def _timeout_option(written: str, seconds: int, help_text: str | None = None) -> Any:
    """An option for the longest time of a step."""
    return option(
        *(written, kinds.DURATION, "DURATION", help_text),
        default=seconds,
        panel=SAFETY,
        configurable=True,
    )


@dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """A VM to deploy, fully resolved: a resume does not depend on the config file of that day.

    Each field but `prefix`, which `--ip` has, declares its option. Names are vSphere's; `memory`
    and `disk` are bytes, timeouts seconds; what is None is taken from the template (hardware,
    network) or left to vCenter (placement).
    """

    name: str = option("NAME", kinds.HOST_NAME, help="The VM's and the host's name.")
    ip: str = option("--ip", kinds.INTERFACE, "ADDRESS/PREFIX", "E.g. 10.0.4.21/24.")
    prefix: int
    environment: str = ENVIRONMENT.as_field()
    group: str | None = GROUP.as_field(None)
    vcenter: str = replace(
        VCENTER,
        kind=kinds.LINE,
        help="The vCenter to deploy to.",
        panel=WHERE,
        configurable=True,
    ).as_field()
    template: str = option(
        "--template", kinds.LINE, help="The template to clone.", configurable=True
    )
    datacenter: str | None = _placement_option("--datacenter")
    cluster: str | None = _placement_option("--cluster")
    resource_pool: str | None = _placement_option("--resource-pool")
    datastore: str | None = _placement_option(
        "--datastore", "A datastore, or a datastore cluster, of which Storage DRS recommends one."
    )
    folder: str | None = _placement_option("--folder")
    network: str | None = _placement_option("--network", "The portgroup.")
    gateway: str | None = option(
        "--gateway", kinds.ADDRESS, "ADDRESS", default=None, configurable=True
    )
    dns: tuple[str, ...] = option(
        *("--dns", kinds.ADDRESSES, "ADDRESS"),
        "A DNS server (repeatable).",
        default=(),
        configurable=True,
    )
    domain: str | None = option(
        *("--domain", kinds.DOMAIN),
        help="The guest's DNS domain.",
        default=None,
        configurable=True,
    )
    cpus: int | None = option(
        "--cpus", kinds.COUNT, default=None, panel=HARDWARE, configurable=True
    )
    memory: int | None = option(
        "--memory", kinds.SIZE, "SIZE", "8G", default=None, panel=HARDWARE, configurable=True
    )
    disk: int | None = option(
        *("--disk", kinds.SIZE, "SIZE", "The first disk: 60G"),
        default=None,
        panel=HARDWARE,
        configurable=True,
    )
    extra_config: dict[str, str] = option(
        *("--extra-config", kinds.EXTRA_CONFIG, "K=V"),
        "An advanced setting of the VM (repeatable).",
        default={},
        panel=HARDWARE,
    )
    user: str | None = USER.as_field(None)
    port: int | None = PORT.as_field(None)
    key: str | None = KEY.as_field(None)
    python: str | None = PYTHON.as_field(None)
    playbooks: tuple[str, ...] = option(
        *("--playbook", kinds.LINES),
        help="A playbook to run after provisioning (repeatable). Whether Ansible can start it is"
        " checked before anything is changed. A resumed deploy may run it a second time: it must"
        " be safe to repeat.",
        default=(),
        panel=PROVISIONING,
    )
    vault_ids: tuple[str, ...] = replace(
        VAULT_ID,
        help="The password file of the playbooks' vaults, as for `run host` (repeatable).",
        panel=PROVISIONING,
    ).as_field(())
    provision: bool = option(
        *("--provision/--no-provision", kinds.FLAG),
        help="Run provision_vm: host name, network, system update, packages.",
        default=True,
        panel=PROVISIONING,
    )
    address_probe: bool = option(
        *("--address-probe/--no-address-probe", kinds.FLAG),
        help="Check that nothing on the network uses the address.",
        default=True,
        panel=SAFETY,
    )
    clone_timeout: int = _timeout_option("--clone-timeout", 1800)
    ip_timeout: int = _timeout_option(
        "--ip-timeout", 600, "How long to wait for the VM to report its address."
    )
    ssh_timeout: int = _timeout_option("--ssh-timeout", 300)
    keep_on_failure: bool = option(
        *("--keep-on-failure", kinds.FLAG),
        help="Do not undo a failed deploy.",
        default=False,
        panel=SAFETY,
    )

    @property
    def guest_domain(self) -> str | None:
        """The guest's DNS domain: the one of `--domain`, or what follows the host in its name."""
        return self.domain or self.name.partition(".")[2] or None

    @property
    def all_playbooks(self) -> tuple[str, ...]:
        """The playbooks of the provisioning, in their order."""
        return (*((PROVISION_PLAYBOOK,) if self.provision else ()), *self.playbooks)


DEPLOY_OPTIONS = options_of(DeployRequest)
