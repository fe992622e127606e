"""What may be said of hosts, vCenters and a new config file; each option is declared here, once."""

from dataclasses import dataclass, replace

from diaken_cli import kinds
from diaken_cli.options import option, options_of
from diaken_cli.requests import ENVIRONMENT, KEY, PORT, PYTHON, USER, VCENTER

PLACE = "Where it belongs"
PASSWORD = "Where its password is (exactly one of them)"  # noqa: S105  a heading
TLS = "How its certificate is verified (else by what this machine trusts)"


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
        "The name of an environment variable; cron has to set it, too.",
        panel=PASSWORD,
        default=None,
    )
    ca_file: str | None = option(
        *("--ca-file", kinds.CERTIFICATE_FILE, "FILE"),
        "Certificates in PEM form.",
        panel=TLS,
        default=None,
    )
    insecure: bool | None = option(
        *("--insecure/--no-insecure", kinds.FLAG),
        help="Not at all: whoever is in between can read the password.",
        panel=TLS,
        default=None,
    )
    datacenter: str | None = option(
        "--datacenter", kinds.LINE, "D", "Limit to this datacenter.", default=None
    )


VCENTER_OPTIONS = options_of(VCenterOptions)


@dataclass(frozen=True)
class ConfigOptions:
    """What `config init` puts into a new config file, as it was typed; None is the default."""

    database: str | None = option(
        "--database", kinds.FILE_TO_WRITE, "FILE", "The database.", default=None
    )
    ssh_user: str | None = option(
        "--ssh-user", kinds.ACCOUNT, "USER", "Who logs in on the hosts.", default=None
    )
    ssh_key: str | None = option(
        "--ssh-key", kinds.KEY_FILE, "FILE", "The private key to log in with.", default=None
    )
    playbooks: tuple[str, ...] = option(
        *("--playbooks", kinds.FOLDERS, "FOLDER"),
        "Where your own playbooks are; can be given again.",
        default=(),
    )


CONFIG_OPTIONS = options_of(ConfigOptions)
