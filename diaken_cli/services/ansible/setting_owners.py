"""Who decides a setting of Ansible, by its key in an ansible.cfg."""

import fnmatch
from collections.abc import Mapping
from functools import cache

from diaken_cli.services.ansible.setting_table import DIAKEN_SECTIONS, TOPICS, Owner, Setting


@cache
def _by_key() -> Mapping[str, tuple[Owner, Setting]]:
    return {
        key: (topic.owner, setting)
        for topic in TOPICS
        for setting in topic.settings
        for key in setting.keys
    }


def is_known(key: str) -> bool:
    """Whether a `section.key` is in the table."""
    return key in _by_key()


def owner(section: str, key: str) -> Owner:
    """Who decides what stands under a key of an ansible.cfg.

    What the table does not have is diaken's in [defaults], where a newer Ansible may have put
    anything, and in the sections of connections and the like; it is the repository's elsewhere:
    there are the options of plugins that it brings along.
    """
    known = _by_key().get(f"{section}.{key}")
    if known is not None:
        return known[0]
    ours = section == "defaults" or any(fnmatch.fnmatch(section, each) for each in DIAKEN_SECTIONS)
    return Owner.DIAKEN if ours else Owner.REPOSITORY


def paths_in(section: str, key: str) -> str | None:
    """How a value tells paths: "path", "pathspec", "pathlist"; None where it tells none."""
    known = _by_key().get(f"{section}.{key}")
    return None if known is None else known[1].paths
