"""Whether the config file is there, parses, and can be changed by nobody else."""

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from diaken_cli.actions.doctor import killed_writes
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.config import Config, load
from diaken_cli.config.places import asked_file, searched
from diaken_cli.errors import ConfigurationError

OPEN_TO_CHANGES = stat.S_IWGRP | stat.S_IWOTH


def read(explicit: Path | None, environ: Mapping[str, str]) -> tuple[Config | None, list[Finding]]:
    """The configuration, None where it can't be used, and what was found: a line a mistake."""
    asked = asked_file(explicit, environ) or searched(explicit, environ)[0]
    try:
        config = load(explicit, environ)
    except ConfigurationError as error:
        about = About("config", str(asked))
        mend = error.hint or "correct it; a file with every key: diaken config init --path FILE"
        return None, [about.problem(line, mend) for line in error.message.splitlines()]
    if config.path is None:
        said = "there is none: every key is at its default"
        return config, [About("config", str(asked)).ok(said)]
    return config, list(_of_file(config.path, len(config.sources)))


def _of_file(path: Path, keys: int) -> Iterable[Finding]:
    about = About("config", str(path))
    if path.stat().st_mode & OPEN_TO_CHANGES:
        yield about.warning(
            "other accounts can change it, and it names commands that are run",
            f"chmod go-w {path}",
        )
    else:
        yield about.ok(f"{keys} key{'' if keys == 1 else 's'} set, here or in the environment")
    yield from killed_writes.check(about, path.parent)
