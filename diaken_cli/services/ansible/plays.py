"""What the plugin `diaken_plays` tells: the plays that began, on which hosts, and that did not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

PLUGIN = "diaken_plays"
FOLDER = Path(str(resources.files(__package__) / "callbacks"))


@dataclass(frozen=True)
class Batch:
    """A play on some of its hosts: all of them, where it has no `serial`.

    `last_tasks`: who has ended one of them has come to the play's end, unless handlers follow.
    """

    play: str
    name: str
    hosts: frozenset[str]
    limits_failures: bool
    has_handlers: bool
    last_tasks: frozenset[str]


@dataclass(frozen=True)
class Play:
    """A play as a whole; `hosts` is None where Ansible could not say which."""

    name: str
    pattern: str
    hosts: frozenset[str] | None


@dataclass
class Plays:
    """The batches in the order in which they began, the plays, and the marked tasks by their id.

    `let_go` has the hosts that a batch let go on purpose (`meta: end_host`), by its place.
    `complete`: Ansible got to the end of the playbook, and all of it was noted.
    """

    batches: list[Batch] = field(default_factory=list)
    begun: dict[str, Play] = field(default_factory=dict)
    never: list[Play] = field(default_factory=list)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    let_go: dict[int, set[str]] = field(default_factory=dict)
    complete: bool = False

    @property
    def patterns(self) -> tuple[str, ...]:
        """What the plays are for, each once, as their `hosts` say it."""
        return tuple(dict.fromkeys(each.pattern for each in (*self.begun.values(), *self.never)))

    def take(self, line: Mapping[str, Any]) -> None:
        """Take an event of the plugin into account."""
        if "play" in line:
            if "all" in line:
                self.begun[line["play"]] = _play(line["name"], line)
            self.batches.append(
                Batch(
                    line["play"],
                    line["name"],
                    frozenset(line["hosts"]),
                    line["limits_failures"],
                    line["has_handlers"],
                    frozenset(line["last_tasks"]),
                )
            )
        elif "task" in line:
            self.flags[line["task"]] = tuple(line["flags"])
        elif "let_go" in line:
            self.let_go.setdefault(len(self.batches) - 1, set()).update(line["let_go"])
        elif "never" in line:
            self.never.append(_play(line["never"], line))
        elif "complete" in line:
            self.complete = True


def _play(name: str, line: Mapping[str, Any]) -> Play:
    hosts = None if line["all"] is None else frozenset(line["all"])
    return Play(name, line["pattern"], hosts)
