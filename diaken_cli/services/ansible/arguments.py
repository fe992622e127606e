"""The arguments of ansible-playbook, and the private files they name: no secret is in an argv."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from diaken_cli.services.ansible import environment, inventory, private
from diaken_cli.services.ansible.work import Inventory, Target, Variables, Work

_FEW_FORKS = 5  # as Ansible has it: for hosts that the playbook adds


def write(work: Work, folder: Path) -> tuple[list[str], list[Path]]:
    """Write the files into the private folder; the arguments, and the files that hold secrets.

    The latter can be removed as soon as the playbook has started: Ansible has read them then.
    """
    argv = write_inventory(work.targets, work.inventory, folder)
    argv.append(f"--forks={min(max(len(work.targets), _FEW_FORKS), work.forks)}")
    variables, secrets = write_variables((work.settings, *work.extra_variables), folder)
    argv += variables
    if work.become:
        argv.append("--become")
    if work.become_password is not None:
        secrets.append(private.write(folder / "become", work.become_password))
        argv.append(f"--become-password-file={secrets[-1]}")
    argv += vaults(work)
    options = work.options
    argv += ["--check"] * options.check + ["--diff"] * options.diff
    argv += [f"--tags={','.join(options.tags)}"] if options.tags else []
    argv += [f"--skip-tags={','.join(options.skip_tags)}"] if options.skip_tags else []
    return [*argv, str(work.playbook)], secrets


def write_inventory(targets: Sequence[Target], around: Inventory, folder: Path) -> list[str]:
    """The arguments for the inventory and the limit to the targets; their files are written."""
    hosts = private.write_json(folder / "hosts.json", inventory.document(targets, around))
    private.write_json(folder / environment.VARIABLES, inventory.vars_plugin_data(targets, around))
    argv = ["--inventory", str(hosts)]
    if lines := inventory.limit(around):
        argv.append(f"--limit=@{private.write(folder / 'limit', chr(10).join(lines))}")
    return argv


def vaults(work: Work) -> list[str]:
    """The arguments for what opens vaults."""
    argv = [f"--vault-id={vault_id}" for vault_id in work.options.vault_ids]
    if work.vault_password_file is not None:
        argv.append(f"--vault-password-file={work.vault_password_file.absolute()}")
    return argv


def write_variables(sources: Iterable[Variables], folder: Path) -> tuple[list[str], list[Path]]:
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
