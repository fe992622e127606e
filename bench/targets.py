"""What diaken promises about its speed; each row of docs/reference/performance.md is here.

And the settings of Ansible, of which some are defaults by what is measured.
"""

from bench.figures import Setting, Target

NOTHING = "`python -c pass`"
BEST = "`ansible-playbook` with the settings that diaken uses"

TARGETS = (
    Target(
        "tick", "tick", "idle `scheduler tick`, 10,000 tasks, 100,000 runs", NOTHING, 3.0, "CPU"
    ),
    Target("version", "startup", "`diaken --version`", NOTHING, 1.5, "CPU"),
    Target("help", "startup", "`diaken --help`", NOTHING, 16, "CPU"),
    Target(
        *("hosts-list", "hosts", "`hosts list --json`, 1,000 hosts"),
        *("importing SQLModel alone", 1.5, "CPU"),
    ),
    Target(
        *("history-list", "history", "`history list`, 1,000,000 runs with 4 KB of output"),
        *("the same on an empty database", 1.15, "wall"),
    ),
    Target(
        *("history-size", "history", "the database of these runs", "–", 1.45, "size", "KB a run"),
    ),
    Target(
        *("group-plain", "group", "`run group`, 30 hosts, facts and 6 small tasks"),
        *("`ansible-playbook` as it comes (5 forks)", 0.55, "wall"),
        missed="all thirty hosts share the cores with Ansible, and no setting makes their own work"
        " less; where hosts have cores of their own, a fork for each is what counts (see below)",
    ),
    Target("group-best-wall", "group", "the same", BEST, 1.05, "wall"),
    Target(
        *("group-best-cpu", "group", "the same", BEST, 1.05, "CPU"),
        missed="loading SQLModel and ansible-runner is half of what diaken takes more; the rest are"
        " ansible-runner's events of each task on each host, and the record of them",
    ),
    Target(
        "others",
        "others",
        "`run host` in an environment of 1,000 hosts: what it takes more",
        "the host alone in its environment",
        0.5,
        "CPU",
        "s",
    ),
    Target(
        *("snapshots", "snapshots", "snapshots of 30 VMs, 1 s each, before a group run"),
        *("one after another", 0.10, "wall"),
    ),
    Target(
        *("prune", "prune", "`snapshots prune`, 1,000 VMs, 5 ms a call, 50 to remove"),
        *("FindByIp and reading, host by host", 0.08, "wall"),
        missed="the removals, of which two at a time are begun on a datastore"
        " (`parallel_removals`) and waited for, are what it takes more than the next row",
    ),
    Target(
        *("prune-reading", "prune", "the same with nothing to remove: without the removals' time"),
        *("FindByIp and reading, host by host", 0.06, "wall"),
        missed="to start, and to read 1,000 VMs through pyVmomi, takes longer",
    ),
    Target(
        *("deploy", "deploy", "`deploy vm`, whole"),
        *("the sum of clone, boot and Ansible alone", 1.10, "wall"),
    ),
    Target(
        *("claims", "claims", "8 processes that claim 2,000 due tasks, none twice"),
        *("one process", 1.0, "rate"),
        at_least=True,
    ),
    Target(
        *("memory", "memory", "a group run with 50 hosts and 10,000 events"),
        *("the same `ansible-playbook`", 1.5, "memory"),
    ),
    Target(
        "growth-list", "growth", "`hosts list`, 10 to 1,000 hosts", "a straight line", 1.1, "CPU"
    ),
    Target(
        *("growth-inventory", "growth", "`inventory export --list`, 10 to 1,000 hosts"),
        *("a straight line", 1.1, "CPU"),
        missed="1,000 hosts cost what 10 do: the figure is what the machine varies by",
    ),
    Target(
        "growth-sync", "growth", "`hosts sync`, 10 to 1,000 hosts", "a straight line", 1.1, "CPU"
    ),
    Target(
        *("growth-prune", "growth", "`snapshots prune --dry-run`, 10 to 1,000 hosts"),
        *("a straight line", 1.1, "CPU"),
    ),
    Target(
        *("growth-tick", "growth", "idle `scheduler tick`, 10 to 10,000 tasks"),
        *("a straight line", 1.1, "CPU"),
    ),
)

SETTINGS = (
    Setting(
        *("forks", "a fork for each host, not 5", "10 hosts that take 5 s to answer"),
        decided="default, for up to 50 hosts at once: the hosts' time is waited for together",
    ),
    Setting(
        *("pipelining", "pipelining", "4 hosts, facts and 6 small tasks"),
        decided="default: it takes less work, and a stopped run leaves nothing behind with or"
        " without it",
    ),
    Setting(
        *("facts", "`gather_subset: [min]`", "4 hosts, facts and 6 small tasks"),
        decided="no default: little is won, and a playbook would miss facts that it asks for",
    ),
)
