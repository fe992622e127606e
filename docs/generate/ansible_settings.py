"""docs/reference/ansible-settings.md: who decides each setting of Ansible."""

from diaken_cli.services.ansible.setting_table import DIAKEN_SECTIONS, TOPICS, Owner, Topic

MADE = "<!-- Made from the code by `python -m docs.generate`: edit the code. -->"
START = """\
A playbook runs with the `ansible.cfg` of its repository, as far as that says how the repository is
built and how its authors judge what it does. What diaken is responsible for stays diaken's,
whatever stands there. The environment variables `ANSIBLE_*` of the caller, `~/.ansible.cfg` and
`/etc/ansible/ansible.cfg` are not read.

The `ansible.cfg` is that at the root of the entry of `[playbooks] paths` which the playbook comes
from. An entry without one may lie in a repository (`playbooks/` of a checkout): then it is the
nearest above it, up to the root of the git checkout; without git, that of the folder which the
entry lies in. A home, `/etc` and folders that everybody can write are no repository. One that
anybody can write, or whose folder anybody can write, is refused, with exit status 14.

Ansible gets a copy of it in the run's private folder, which has only the keys that the repository
decides; `ansible_config_file` names that copy. Relative paths in it are still those of the folder
that the repository's own is in."""
END = """\
Sections that are diaken's as a whole, but for keys in the tables above: {sections}. A key of
`[defaults]` that is not in the tables is not read; other sections, of plugins that a repository
brings along, are. The tables have the keys of ansible-core 2.16 to 2.21."""
TITLES = {
    Owner.REPOSITORY: "Decided by the repository",
    Owner.DIAKEN: "Decided by diaken",
    Owner.NOBODY: "Without an effect",
}


def page() -> str:
    """The page, from the table that the code goes by."""
    lines = [MADE, "# Settings of Ansible", "", START]
    for owner, title in TITLES.items():
        lines += ["", f"## {title}"]
        for topic in TOPICS:
            if topic.owner is owner:
                lines += _topic(topic)
    sections = ", ".join(f"`[{section}]`" for section in DIAKEN_SECTIONS)
    return "\n".join([*lines, "", "## Other keys", "", END.format(sections=sections)]) + "\n"


def _topic(topic: Topic) -> list[str]:
    lines = ["", f"### {topic.title}", "", topic.reason, "", "| setting | in ansible.cfg |"]
    lines.append("|---|---|")
    for setting in topic.settings:
        kind, _, option = setting.name.replace(":", " plugin ", 1).rpartition(":")
        name = f"{kind}, `{option}`" if kind else f"`{setting.name}`"
        keys = [key.rpartition(".") for key in setting.keys]
        shown = ", ".join(f"`[{section}] {key}`" for section, _, key in keys)
        lines.append(f"| {name} | {shown} |")
    return lines
