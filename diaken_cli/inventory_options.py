"""What may be said of hosts, vCenters and a new config file; each option is declared here, once."""

from dataclasses import dataclass, replace

from diaken_cli import kinds
from diaken_cli.options import option, options_of
from diaken_cli.requests import ENVIRONMENT, KEY, PORT, PYTHON, USER, VCENTER

PLACE = "Place in the inventory"
PASSWORD = "Password source (exactly one)"  # noqa: S105  a heading
TLS = "Certificate verification (default: this machine's trusted CAs)"


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
        "A group of that environment (repeatable, the main one first).",
        panel=PLACE,
        default=None,
    )
    vcenter: str | None = replace(VCENTER, help="The vCenter of its VM.", panel=PLACE).as_field(
        None
    )
    vm_uuid: str | None = option(
        *("--vm-uuid", kinds.VM_UUID, "UUID"),
        "Its VM's instance UUID (default: the VM is found by its address).",
        panel=PLACE,
        default=None,
    )
    user: str | None = USER.as_field(None)
    port: str | None = PORT.as_field(None)
    key: str | None = KEY.as_field(None)
    python: str | None = PYTHON.as_field(None)
    variables: tuple[str, ...] = option(
        *("--var", kinds.TEXTS, "K=V"),
        "A variable for playbooks (repeatable). No passwords.",
        default=(),
    )
    description: str | None = option("--description", kinds.LINE, "TEXT", default=None)
    active: bool | None = None
    inactive: bool = option(
        "--inactive",
        kinds.FLAG,
        help="Exclude it from runs, snapshots and /etc/hosts.",
        default=False,
    )


@dataclass(frozen=True)
class HostChanges(HostOptions):
    """What `hosts set` takes besides: `add_groups` and `remove_groups` are single ones."""

    add_groups: tuple[str, ...] = option(
        *("--add-group", kinds.TEXTS, "G"),
        "Add it to a group (repeatable).",
        panel=PLACE,
        default=(),
    )
    remove_groups: tuple[str, ...] = option(
        *("--remove-group", kinds.TEXTS, "G"),
        "Remove it from a group (repeatable).",
        panel=PLACE,
        default=(),
    )
    unset_variables: tuple[str, ...] = option(
        *("--unset-var", kinds.TEXTS, "K"),
        "Remove a variable (repeatable).",
        default=(),
    )
    active: bool | None = option(
        "--active", kinds.FLAG, help="Include it in runs, snapshots and /etc/hosts.", default=None
    )


@dataclass(frozen=True)
class VCenterOptions:
    """The options of a vCenter, as they were typed; None is "not typed"."""

    server: str | None = option(
        "--server", kinds.SERVER, "HOST[:PORT]", "Its name or IPv4 address.", default=None
    )
    username: str | None = option(
        "--username", kinds.LINE, "U", "E.g. diaken@vsphere.local.", default=None
    )
    password_command: str | None = option(
        *("--password-command", kinds.COMMAND_LINE, "ARGV"),
        "A command that prints it, with its arguments: 'pass show vcenter'. No shell.",
        panel=PASSWORD,
        default=None,
    )
    password_file: str | None = option(
        *("--password-file", kinds.EXISTING_FILE, "FILE"),
        "A file that nobody else can read.",
        panel=PASSWORD,
        default=None,
    )
    password_env: str | None = option(
        *("--password-env", kinds.ENVIRONMENT_VARIABLE, "VAR"),
        "An environment variable, by name; cron has to set it as well.",
        panel=PASSWORD,
        default=None,
    )
    ca_file: str | None = option(
        *("--ca-file", kinds.CERTIFICATE_FILE, "FILE"),
        "CA certificates in PEM format.",
        panel=TLS,
        default=None,
    )
    insecure: bool | None = option(
        *("--insecure/--no-insecure", kinds.FLAG),
        help="Do not verify: anyone in between can read the password.",
        panel=TLS,
        default=None,
    )
    datacenter: str | None = option(
        "--datacenter", kinds.LINE, "D", "Limit to this datacenter (name or path).", default=None
    )


VCENTER_OPTIONS = options_of(VCenterOptions)


@dataclass(frozen=True)
class ConfigOptions:
    """What `config init` puts into a new config file, as it was typed; None is the default."""

    database: str | None = option(
        "--database", kinds.FILE_TO_WRITE, "FILE", "The database file.", default=None
    )
    ssh_user: str | None = option(
        "--ssh-user", kinds.ACCOUNT, "USER", "The user for SSH logins.", default=None
    )
    ssh_key: str | None = option(
        "--ssh-key", kinds.KEY_FILE, "FILE", "The SSH private key.", default=None
    )
    playbooks: tuple[str, ...] = option(
        *("--playbooks", kinds.FOLDERS, "FOLDER"),
        "A folder with your own playbooks (repeatable).",
        default=(),
    )


CONFIG_OPTIONS = options_of(ConfigOptions)
