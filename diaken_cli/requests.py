"""The options of a host and of a VM to deploy; each is declared here, once.

The commands take it from here, `[deploy]` of the config file its keys, and both check it alike.
"""

from dataclasses import dataclass, replace
from typing import Any

from diaken_cli import kinds
from diaken_cli.options import Option, option, options_of

ACCESS = "How Ansible reaches it (else the config file says)"
PLACE = "Where it belongs"
WHERE = "Where it goes (vSphere names or inventory paths)"
HARDWARE = "Hardware (the template's, where it is not said)"
PROVISIONING = "Provisioning"
SAFETY = "Safety"

USER = Option("--user", kinds.ACCOUNT, None, "The SSH user.", ACCESS)
PORT = Option("--port", kinds.PORT, "N", "The SSH port.", ACCESS)
KEY = Option("--key", kinds.KEY_FILE, "FILE", "The SSH private key.", ACCESS)
PYTHON = Option("--python", kinds.INTERPRETER, "PATH", "Python there.", ACCESS)
ENVIRONMENT = Option("--environment", kinds.TEXT, "E")
GROUP = Option("--group", kinds.TEXT, "G")
VCENTER = Option("--vcenter", kinds.TEXT, "V")


@dataclass(frozen=True)
class HostOptions:
    """The options of a host, as they were typed.

    None is "not typed"; an empty text empties an optional value. `groups` are all its groups, the
    main one first.
    """

    ip: str | None = option("--ip", kinds.ADDRESS, "ADDRESS", "Its IPv4 address.", default=None)
    environment: str | None = replace(ENVIRONMENT, panel=PLACE).as_field(None)
    groups: tuple[str, ...] | None = option(
        *("--group", kinds.TEXTS, "G"),
        "Of that environment; can be given again, the main one first.",
        panel=PLACE,
        default=None,
    )
    vcenter: str | None = replace(VCENTER, help="Which has its VM.", panel=PLACE).as_field(None)
    vm_uuid: str | None = option(
        *("--vm-uuid", kinds.VM_UUID, "UUID"),
        "Its VM's instance UUID; else the VM is found by the address.",
        panel=PLACE,
        default=None,
    )
    user: str | None = USER.as_field(None)
    port: str | None = PORT.as_field(None)
    key: str | None = KEY.as_field(None)
    python: str | None = PYTHON.as_field(None)
    variables: tuple[str, ...] = option(
        *("--var", kinds.TEXTS, "K=V"),
        "A variable for playbooks; can be given again. No passwords.",
        default=(),
    )
    description: str | None = option("--description", kinds.LINE, "TEXT", default=None)
    active: bool | None = None
    inactive: bool = option(
        "--inactive", kinds.FLAG, help="No run, no snapshot, not in /etc/hosts.", default=False
    )


@dataclass(frozen=True)
class HostChanges(HostOptions):
    """What `hosts set` takes besides: `add_groups` and `remove_groups` are single ones."""

    add_groups: tuple[str, ...] = option(
        *("--add-group", kinds.TEXTS, "G"),
        "Put it into one more group; can be given again.",
        panel=PLACE,
        default=(),
    )
    remove_groups: tuple[str, ...] = option(
        *("--remove-group", kinds.TEXTS, "G"),
        "Take it out of a group; can be given again.",
        panel=PLACE,
        default=(),
    )
    unset_variables: tuple[str, ...] = option(
        *("--unset-var", kinds.TEXTS, "K"),
        "Take a variable away; can be given again.",
        default=(),
    )
    active: bool | None = option(
        "--active", kinds.FLAG, help="Runs, snapshots and /etc/hosts have it.", default=None
    )


# ── a VM to deploy ───────────────────────────────────────────────────────────────────────────


def _place_option(written: str, help_text: str | None = None) -> Any:
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
    and `disk` are bytes, time-outs seconds; what is None is taken from the template (hardware,
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
        help="The connection to use.",
        panel=WHERE,
        configurable=True,
    ).as_field()
    template: str = option("--template", kinds.LINE, help="What to clone.", configurable=True)
    datacenter: str | None = _place_option("--datacenter")
    cluster: str | None = _place_option("--cluster")
    resource_pool: str | None = _place_option("--resource-pool")
    datastore: str | None = _place_option("--datastore")
    folder: str | None = _place_option("--folder")
    network: str | None = _place_option("--network", "The portgroup.")
    gateway: str | None = option(
        "--gateway", kinds.ADDRESS, "ADDRESS", default=None, configurable=True
    )
    dns: tuple[str, ...] = option(
        *("--dns", kinds.ADDRESSES, "ADDRESS"),
        "A DNS server; can be given again.",
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
        "An advanced setting of the VM; can be given again.",
        default={},
        panel=HARDWARE,
    )
    user: str | None = USER.as_field(None)
    port: int | None = PORT.as_field(None)
    key: str | None = KEY.as_field(None)
    python: str | None = PYTHON.as_field(None)
    playbooks: tuple[str, ...] = option(
        *("--playbook", kinds.LINES),
        help="Run it after provisioning; can be given again. Whether Ansible can start it is"
        " checked before anything is changed. A resumed deploy may run it a second time: it has to"
        " be safe to repeat.",
        default=(),
        panel=PROVISIONING,
    )
    vault_ids: tuple[str, ...] = option(
        *("--vault-id", kinds.VAULT_IDS, "LABEL@FILE"),
        "What opens the vaults of the playbooks, as for `run host`; can be given again.",
        default=(),
        panel=PROVISIONING,
    )
    provision: bool = option(
        *("--provision/--no-provision", kinds.FLAG),
        help="Run provision_vm: host name, network, system update, packages.",
        default=True,
        panel=PROVISIONING,
    )
    address_probe: bool = option(
        *("--address-probe/--no-address-probe", kinds.FLAG),
        help="Ask the network whether something has the address.",
        default=True,
        panel=SAFETY,
    )
    clone_timeout: int = _timeout_option("--clone-timeout", 1800)
    ip_timeout: int = _timeout_option("--ip-timeout", 600, "For the VM to report its address.")
    ssh_timeout: int = _timeout_option("--ssh-timeout", 300)
    keep_on_failure: bool = option(
        *("--keep-on-failure", kinds.FLAG),
        help="Do not undo what was done.",
        default=False,
        panel=SAFETY,
    )

    @property
    def guest_domain(self) -> str | None:
        """The guest's DNS domain: the one of `--domain`, or what follows the host in its name."""
        return self.domain or self.name.partition(".")[2] or None


DEPLOY_OPTIONS = options_of(DeployRequest)
DEPLOY_KEYS = {name: option for name, option in DEPLOY_OPTIONS.items() if option.configurable}
"""Those that `[deploy]` and `[deploy.environments.NAME]` of the config file have, too."""
