"""A callback plugin, run by Ansible: which plays began on which hosts, into the pipe of events.

Ansible's counters alone don't tell a host that a play let go (`meta: end_host`) from one that no
play reached. Nothing of diaken is imported here, and of Ansible only what 2.16 to 2.21 have alike.
Where something is missing the events stop, and diaken judges by the counters (`endings.py` reads).
"""

import json
import os

from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

DOCUMENTATION = """
name: diaken_plays
type: aggregate
short_description: notes which plays began on which hosts
description: For diaken, which names the pipe in the environment variable DIAKEN_EVENTS.
"""

_META = ("meta", "ansible.builtin.meta", "ansible.legacy.meta")


class CallbackModule(CallbackBase):
    """Writes to the pipe that DIAKEN_EVENTS names, between the events of the stdout callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "diaken_plays"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        ways = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC  # where diaken is gone, nothing waits
        self._pipe = os.open(os.environ["DIAKEN_EVENTS"], ways)
        os.set_blocking(self._pipe, True)
        self._plays = []
        self._begun = set()
        self._play = None
        self._removed = None  # how many hosts were, when a task began that lets hosts go

    def v2_playbook_on_start(self, playbook):
        """Keep the plays, to tell at the end which of them never began."""
        self._plays = list(playbook.get_plays())

    def v2_playbook_on_play_start(self, play):
        """Note the hosts of a play, or of the next batch of its hosts."""
        self._note_let_go()
        self._play = play
        inventory = play.get_variable_manager()._inventory
        line = {
            "play": _id(play),
            "name": play.get_name(),
            "hosts": [host.name for host in inventory.get_hosts(play.hosts)],
            "limits_failures": play.max_fail_percentage is not None,
            "has_handlers": bool(play.handlers),
            "last_tasks": _last_tasks(play.post_tasks or play.tasks),
        }
        if _id(play) not in self._begun:
            self._begun.add(_id(play))
            line |= self._all_hosts(play, inventory)
        self._write(line)

    def v2_playbook_on_task_start(self, task, is_conditional):
        """Note of a task what ends a play for other hosts, and whom the one before it let go."""
        self._note_let_go()
        if task.action in _META and (task.args or {}).get("_raw_params") == "end_host":
            self._removed = len(self._play._removed_hosts)
        flags = ("run_once", "any_errors_fatal")
        set_flags = [flag for flag in flags if getattr(task, flag) is True]
        if set_flags:
            self._write({"task": task._uuid, "flags": set_flags})

    def v2_playbook_on_handler_task_start(self, task):
        """The same of a handler."""
        self.v2_playbook_on_task_start(task, is_conditional=False)

    def v2_playbook_on_stats(self, stats):
        """Note the plays that never began; it comes after the last."""
        self._note_let_go()
        for play in self._plays:
            if _id(play) not in self._begun:
                inventory = play.get_variable_manager()._inventory
                self._write({"never": play.get_name(), **self._all_hosts(play, inventory)})
        self._write({"complete": True})

    def _note_let_go(self):
        """Note the hosts for which the play ended on purpose, before others can end it there."""
        if self._removed is not None:
            self._write({"let_go": self._play._removed_hosts[self._removed :]})
            self._removed = None

    def _all_hosts(self, play, inventory):
        """The pattern of a play, and its hosts in all batches; none where it can't be resolved."""
        try:
            templar = Templar(
                loader=play.get_loader(),
                variables=play.get_variable_manager().get_vars(play=play),
            )
            pattern = templar.template(play.hosts)
            words = pattern if isinstance(pattern, list) else [pattern]
            hosts = [host.name for host in inventory.get_hosts(pattern, ignore_restrictions=True)]
        except Exception:  # noqa: BLE001  what a template gives may be no pattern at all
            return {"pattern": str(play.hosts), "all": None}
        return {"pattern": ",".join(str(word) for word in words), "all": hosts}

    def _write(self, line):
        data = (json.dumps({"event": "plays", **line}) + "\n").encode()
        with self._display._lock:  # each line whole; the stdout callback takes the same lock
            while data:
                data = data[os.write(self._pipe, data) :]


def _id(play):
    return str(play._uuid)


def _last_tasks(tasks):
    """The tasks one of which a host comes to last, where nothing cuts the play short."""
    if not tasks:
        return []
    last = tasks[-1]
    if not hasattr(last, "always"):
        return [] if "include" in last.action else [last._uuid]
    if last.always:
        return _last_tasks(last.always)
    return _last_tasks(last.block) + _last_tasks(last.rescue)
