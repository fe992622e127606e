"""The arguments of ansible-playbook, and the private files they name: no secret is in an argv."""

from collections.abc import Iterable
from pathlib import Path

from diaken_cli.services.ansible import inventory, private
from diaken_cli.services.ansible.work import Variables, Work


def write(work: Work, folder: Path) -> tuple[list[str], list[Path]]:
    """Write the files into the private folder; the arguments, and the files that hold secrets.

    The latter can be removed as soon as the playbook has started: Ansible has read them then.
    """
    hosts = private.write_json(folder / "hosts.json", inventory.document(work))
    argv = ["--inventory", str(hosts), f"--forks={max(1, min(len(work.targets), work.forks))}"]
    variables, secrets = write_variables((work.settings, *work.extra_variables), folder)
    argv += variables
    if work.become:
        argv.append("--become")
    if work.become_password is not None:
        secrets.append(private.write(folder / "become", work.become_password))
        argv.append(f"--become-password-file={secrets[-1]}")
    if work.vault_password_file is not None:
        argv.append(f"--vault-password-file={work.vault_password_file.absolute()}")
    said = work.options
    argv += ["--check"] * said.check + ["--diff"] * said.diff
    argv += [f"--tags={','.join(said.tags)}"] if said.tags else []
    argv += [f"--skip-tags={','.join(said.skip_tags)}"] if said.skip_tags else []
    return [*argv, str(work.playbook)], secrets


def write_variables(given: Iterable[Variables], folder: Path) -> tuple[list[str], list[Path]]:
    """The arguments for extra variables, and the files that are written for them."""
    argv, written = [], []
    for number, variables in enumerate(given):
        if isinstance(variables, Path):
            argv.append(f"--extra-vars=@{variables.absolute()}")
        else:
            ours = private.write_json(folder / f"variables-{number}.json", dict(variables))
            written.append(ours)
            argv.append(f"--extra-vars=@{ours}")
    return argv, written
