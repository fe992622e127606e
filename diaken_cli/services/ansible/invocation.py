"""How Ansible's programs are called: environment, arguments, and the files that these name.

The environment is the caller's, without what would change the outcome. No secret is in an argv.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services.ansible import inventory, private, ssh
from diaken_cli.services.ansible.repository import Repository
from diaken_cli.services.ansible.tracking import MARK, REMOTE_MARKS
from diaken_cli.services.ansible.work import Inventory, SshSettings, Target, Variables, Work

_VARS_PLUGIN_DATA = "vars.json"  # in a run's private folder: what the vars plugin has to know
_VARS_PLUGINS = Path(__file__).parent / "plugins" / "vars"
_OUR_VARS = "diaken_host_group_vars"
_HOST_GROUP_VARS = tuple(f"{n}host_group_vars" for n in ("", "ansible.builtin.", "ansible.legacy."))
_DEFAULT_HOME = "~/.ansible"  # where ansible-galaxy installs, and people put their plugins

_FEW_FORKS = 5  # as Ansible has it: for hosts that the playbook adds

_DROPPED_PREFIXES = ("ANSIBLE_", "DIAKEN_", "AWX_", "RUNNER_", "LC_", "PYTHON")
_DROPPED = frozenset(
    [
        "LANG",
        "LANGUAGE",
        "ORIGINAL_STDOUT_CALLBACK",
        "MAX_EVENT_RES",
        "JOB_ID",
        "AD_HOC_COMMAND_ID",
        "PROJECT_UPDATE_ID",
    ]
)


def ansible_program(name: str = "ansible-playbook") -> str:
    """The absolute path of one of Ansible's programs: beside this Python first, then by PATH.

    One that was installed for diaken alone (pipx) is not on PATH.

    Raises:
        AnsibleNotStarted: there is no ansible-playbook.
    """
    beside = str(Path(sys.executable).parent)
    for path in (beside, os.environ.get("PATH", os.defpath)):
        if program := shutil.which("ansible-playbook", path=path):
            return str(Path(program).absolute().with_name(name))
    raise AnsibleNotStarted(
        f"ansible-playbook is neither in {beside} nor on PATH",
        hint="Install ansible-core into the environment of diaken.",
    )


# ── environment ──────────────────────────────────────────────────────────────────────────────


def inherited_environment(
    environ: Mapping[str, str], hidden: frozenset[str] = frozenset()
) -> dict[str, str]:
    """What Ansible gets of the caller's environment: proxies, the SSH agent, PATH and the like.

    Not its settings for Ansible, ansible-runner or Python, nor its locale, nor what is `hidden`.
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_DROPPED_PREFIXES) and name not in _DROPPED and name not in hidden
    }


def settings(
    ssh_settings: SshSettings,
    scratch: Path,
    mark: str | None = None,
    repository: Repository = Repository(),  # noqa: B008  it is frozen
) -> dict[str, str]:
    """Ansible's settings, all of them; `scratch` is a private folder, for its files.

    Temporary files go there, too: Ansible makes a socket among them (since 2.21), whose path may
    not be as long as that of the caller's temporary folder.

    An ansible.cfg is written there, of what the repository decides; without one Ansible would read
    that of the working folder, the home or /etc. What has a value here goes before it.
    https://docs.ansible.com/ansible-core/2.19/reference_appendices/config.html
    """
    marks = "" if mark is None else " ".join(f"{name}={mark}" for name in REMOTE_MARKS)
    connection = [*(["-o", f"SetEnv={marks}"] if marks else []), *ssh.options(ssh_settings)]
    connection += ["-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s"]
    temporary = scratch / "tmp"
    temporary.mkdir(mode=0o700)
    return {
        "ANSIBLE_CONFIG": str(private.write(scratch / "ansible.cfg", repository.text())),
        "ANSIBLE_HOME": str(_home(scratch / "home", repository.home or _DEFAULT_HOME)),
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
        "ANSIBLE_INVENTORY_PLUGIN_EXTS": ".yaml,.yml,.json",  # YAML_FILENAME_EXTENSIONS is theirs
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_ARGS": shlex.join(connection),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(scratch / "ssh"),
        "ANSIBLE_TIMEOUT": str(ssh_settings.connect_timeout),
        "ANSIBLE_LOCAL_TEMP": str(temporary),
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_NOCOWS": "1",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(temporary),
        **_defaults(repository),
        **({} if mark is None else {MARK: mark, "DIAKEN_REMOTE_MARKS": marks}),
    }


def _defaults(repository: Repository) -> dict[str, str]:
    """The settings that hold where the repository has none of its own."""
    home = repository.home or _DEFAULT_HOME
    plugins = f"{home}/plugins/vars:/usr/share/ansible/plugins/vars"
    plugins = repository.values.get("defaults.vars_plugins", plugins)
    defaults = {
        "ANSIBLE_VARS_PLUGINS": f"{_VARS_PLUGINS}:{plugins}",
        "ANSIBLE_VARS_ENABLED": _vars_enabled(repository),
    }
    if not repository.has("defaults.roles_path"):
        defaults["ANSIBLE_ROLES_PATH"] = f"{home}/roles:/usr/share/ansible/roles:/etc/ansible/roles"
    if not repository.has("defaults.collections_path", "defaults.collections_paths"):
        defaults["ANSIBLE_COLLECTIONS_PATH"] = f"{home}/collections:/usr/share/ansible/collections"
    if not repository.has("defaults.interpreter_python"):
        defaults["ANSIBLE_PYTHON_INTERPRETER"] = "auto_silent"
    return defaults


def _vars_enabled(repository: Repository) -> str:
    """The vars plugins that the repository wants, diaken's own in the place of Ansible's."""
    enabled = repository.values.get("defaults.vars_plugins_enabled", _HOST_GROUP_VARS[0])
    names = [name.strip() for name in enabled.split(",")]
    return ",".join(_OUR_VARS if name in _HOST_GROUP_VARS else name for name in names)


def _home(home: Path, default_home: str) -> Path:
    """A home for Ansible, so that it makes none in theirs; plugins there are still found."""
    home.mkdir(mode=0o700)
    plugins = Path(default_home).expanduser() / "plugins"
    if plugins.is_dir():
        (home / "plugins").symlink_to(plugins)
    return home


def work_environment(work: Work, scratch: Path) -> dict[str, str]:
    """The whole environment of ansible-playbook for this work, without ansible-runner's part."""
    return (
        inherited_environment(os.environ, work.hidden_environment)
        | settings(work.ssh, scratch, work.mark, work.repository)
        | _added_hosts(work.ssh)
        | {
            "ANSIBLE_PIPELINING": str(work.pipelining),
            "DIAKEN_RUN_LOCK": str(work.lock),
            "DIAKEN_VARS": str(scratch / _VARS_PLUGIN_DATA),
        }
    )


def _added_hosts(ssh_settings: SshSettings) -> dict[str, str]:
    """How Ansible reaches hosts that the inventory does not have; localhost needs none of it."""
    variables = {
        "ANSIBLE_REMOTE_USER": ssh_settings.user,
        "ANSIBLE_REMOTE_PORT": ssh_settings.port,
        "ANSIBLE_PRIVATE_KEY_FILE": ssh_settings.key,
        "ANSIBLE_PYTHON_INTERPRETER": ssh_settings.python,
    }
    return {name: str(value) for name, value in variables.items() if value is not None}


# ── arguments ────────────────────────────────────────────────────────────────────────────────


def write_arguments(work: Work, folder: Path) -> tuple[list[str], list[Path]]:
    """Write the files into the private folder; the arguments, and the files that hold secrets.

    The latter can be removed as soon as the playbook has started: Ansible has read them then.
    """
    argv = write_inventory(work.targets, work.inventory, folder)
    argv.append(f"--forks={min(max(len(work.targets), _FEW_FORKS), work.forks)}")
    variables, secrets = _write_variables((work.settings, *work.extra_variables), folder)
    argv += variables
    if work.become:
        argv.append("--become")
    if work.become_password is not None:
        secrets.append(private.write(folder / "become", work.become_password))
        argv.append(f"--become-password-file={secrets[-1]}")
    argv += vault_arguments(work)
    options = work.options
    argv += ["--check"] * options.check + ["--diff"] * options.diff
    argv += [f"--tags={','.join(options.tags)}"] if options.tags else []
    argv += [f"--skip-tags={','.join(options.skip_tags)}"] if options.skip_tags else []
    return [*argv, str(work.playbook)], secrets


def write_inventory(targets: Sequence[Target], around: Inventory, folder: Path) -> list[str]:
    """The arguments for the inventory and the limit to the targets; their files are written."""
    hosts = private.write_json(folder / "hosts.json", inventory.document(targets, around))
    private.write_json(folder / _VARS_PLUGIN_DATA, inventory.vars_plugin_data(targets, around))
    argv = ["--inventory", str(hosts)]
    if lines := inventory.limit_lines(around):
        argv.append(f"--limit=@{private.write(folder / 'limit', chr(10).join(lines))}")
    return argv


def vault_arguments(work: Work) -> list[str]:
    """The arguments for what opens vaults."""
    argv = [f"--vault-id={vault_id}" for vault_id in work.options.vault_ids]
    if work.vault_password_file is not None:
        argv.append(f"--vault-password-file={work.vault_password_file.absolute()}")
    return argv


def _write_variables(sources: Iterable[Variables], folder: Path) -> tuple[list[str], list[Path]]:
    """The arguments for extra variables, and the files that are written for them."""
    argv, written = [], []
    for number, variables in enumerate(sources):
        if isinstance(variables, Path):
            argv.append(f"--extra-vars=@{variables.absolute()}")
        else:
            file = private.write_json(folder / f"variables-{number}.json", dict(variables))
            written.append(file)
            argv.append(f"--extra-vars=@{file}")
    return argv, written
