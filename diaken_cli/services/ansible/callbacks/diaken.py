"""The stdout callback plugin of a run: each event as a line of JSON, into a pipe of diaken's.

Run by Ansible, in its main process. Nothing that it would print reaches a terminal, where text of
a host could be taken for an event: an event has the text that Ansible's own callback prints of it.
Of a result, which a host chooses freely, come the fields that diaken reads, each cut to a bound.
Nothing of diaken is imported here, and of Ansible only what 2.16 to 2.21 have alike.
"""

import json
import os
import signal
import threading
import time
from contextlib import contextmanager
from itertools import islice

from ansible.plugins.callback import default

DOCUMENTATION = """
name: diaken
type: stdout
short_description: tells diaken what happens
description: For diaken, which names the pipe in the environment variable DIAKEN_EVENTS.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

MOST_TEXT = 264 * 1024  # characters of an event; diaken keeps 256 KB, once it has hidden secrets
MOST_STRING = 64 * 1024  # characters of one value of a result
MOST_VALUES = 512 * 1024  # characters of all values of a result together, about
MOST_WARNINGS = 20  # of a task on a host
MOST_ENTRIES = 1000  # of a list or a mapping
DEEPEST = 20  # levels of nested values
MOST_NAME = 1000  # characters

_BELL = 7  # a descriptor: a newline there says that there is something in the pipe
_FIELDS = (
    "censored",
    "msg",
    "message",
    "reason",
    "rc",
    "cmd",
    "stderr",
    "stdout",
    "module_stderr",
    "module_stdout",
    "failed_modules",
    "item",
    "_ansible_item_label",
)
_ALL_FIELDS = "_ansible_verbose_always"  # set by a module whose result is meant to be read
_WARNING = "[WARNING]: "
_NOT_DONE = ("_failed", "_unreachable")
_FAILURES = ("fatal: [", "failed: [")
_CUT = "\n[…]\n"
_MORE = "…"


class CallbackModule(default.CallbackModule):
    """Ansible's default callback, whose words go into events."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "diaken"

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        # Where diaken is gone already, that is an error; without O_NONBLOCK it would wait for ever.
        ways = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._pipe = os.open(os.environ["DIAKEN_EVENTS"], ways)
        os.set_blocking(self._pipe, True)
        self._process = os.getpid()
        self._local = threading.local()
        self._began = {}
        self._print = self._display.display
        self._display.display = self._display_instead

    # ── the playbook ─────────────────────────────────────────────────────────────────────────

    def v2_playbook_on_start(self, playbook):
        """Tell that all files were read."""
        with self._event("playbook_on_start"):
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play):
        """Tell of a play, or of the next batch of its hosts."""
        hosts = play.hosts if isinstance(play.hosts, list) else [play.hosts]
        name = play.get_name().strip() or ",".join(str(host) for host in hosts)
        with self._event("playbook_on_play_start", name=name[:MOST_NAME]):
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        """Tell of a task: only here its name is the one that Ansible prints."""
        name = str(task.get_name())[:MOST_NAME]
        with self._event("playbook_on_task_start", **_of_task(task), name=name):
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task):
        """Tell of a handler, which is a task."""
        name = str(task.get_name())[:MOST_NAME]
        with self._event("playbook_on_task_start", **_of_task(task), name=name):
            super().v2_playbook_on_handler_task_start(task)

    def v2_playbook_on_stats(self, stats):
        """Tell the counters of all hosts; it comes after the last task."""
        counters = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored")
        totals = {name: dict(getattr(stats, name)) for name in counters}
        with self._event("playbook_on_stats", **totals, processed=list(stats.processed)):
            super().v2_playbook_on_stats(stats)

    def v2_playbook_on_no_hosts_matched(self):
        """Say nothing: diaken tells it by the results."""

    def v2_playbook_on_no_hosts_remaining(self):
        """Say nothing: diaken tells it by the results."""

    def v2_playbook_on_include(self, included_file):
        """Say nothing: the tasks that it brings are told."""

    # ── hosts ────────────────────────────────────────────────────────────────────────────────

    def v2_runner_on_start(self, host, task):
        """Tell that a task begins on a host."""
        self._began[host.get_name()] = time.monotonic()
        with self._event("runner_on_start", host=host.get_name(), **_of_task(task)):
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result):
        """Tell a result."""
        with self._result("runner_on_ok", result):
            super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Tell a failure, and whether Ansible goes on all the same."""
        with self._result("runner_on_failed", result, ignored=bool(ignore_errors)):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        """Tell that a host did not answer, and whether Ansible goes on all the same."""
        ignored = getattr(result._task, "ignore_unreachable", None) is True
        with self._result("runner_on_unreachable", result, ignored=ignored):
            super().v2_runner_on_unreachable(result)

    def v2_runner_on_skipped(self, result):
        """Tell that there was nothing to do."""
        with self._result("runner_on_skipped", result):
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result):
        """Tell the result of one item of a loop."""
        with self._result("runner_item_on_ok", result):
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_failed(self, result):
        """Tell the failure of one item of a loop."""
        with self._result("runner_item_on_failed", result):
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result):
        """Tell that there was nothing to do for one item of a loop."""
        with self._result("runner_item_on_skipped", result):
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result):
        """Tell one of several tries."""
        with self._result("runner_retry", result):
            super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result):
        """Tell that a task goes on in the background."""
        with self._result("runner_on_async_poll", result):
            super().v2_runner_on_async_poll(result)

    def v2_on_file_diff(self, result):
        """Tell what changes in a file."""
        with self._result("runner_on_file_diff", result):
            super().v2_on_file_diff(result)

    # ── events ───────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _result(self, kind, result, **more):
        """Send an event of a host; what is wanted of the result is taken before it is printed."""
        host, task, details = result._host.get_name(), result._task, result._result
        began = self._began.get(host)
        fields = {
            "host": host,
            **_of_task(task),
            "delegated_to": str(task.delegate_to) if task.delegate_to else None,
            "duration": 0.0 if began is None else time.monotonic() - began,
            "changed": bool(details.get("changed")),
            "res": _excerpt(details),
            **more,
        }
        with self._event(kind, **fields):
            yield

    @contextmanager
    def _event(self, kind, /, **fields):
        """Send an event, with what is printed meanwhile by this thread."""
        lines = []
        self._local.lines = lines
        try:
            yield
        finally:
            self._local.lines = None
        warnings = [line for line in lines if line.startswith(_WARNING)]
        if len(warnings) > MOST_WARNINGS:  # of a module, which the host chose
            more = f"{_WARNING}{len(warnings) - MOST_WARNINGS} more warnings of this task"
            warnings[MOST_WARNINGS:] = [more]
        for line in warnings:
            self._send({"event": "printed", "host": fields.get("host"), **_cut(line)})
        lines = [line for line in lines if not line.startswith(_WARNING)]
        text = "".join(lines[_first_failure(lines) :] if kind.endswith(_NOT_DONE) else lines)
        self._send({"event": kind, **fields, **_cut(text)})

    def _display_instead(
        self,
        msg,
        color=None,
        stderr=False,
        screen_only=False,
        log_only=False,
        newline=True,
        **more,
    ):
        """Keep for the event what Ansible would print; its own log file gets it all the same."""
        if os.getpid() != self._process:  # in a worker, which hands it to the main process
            self._print(msg, color, stderr, screen_only, log_only, newline, **more)
            return
        if not log_only:
            line = msg if msg.endswith("\n") or not newline else msg + "\n"
            if (lines := getattr(self._local, "lines", None)) is not None:
                lines.append(line)
            else:
                self._send({"event": "printed", "host": None, **_cut(line)})
        if not screen_only:
            self._print(msg, color=color, log_only=True, **more)

    def _send(self, event):
        line = (json.dumps(event, default=str) + "\n").encode()
        with self._display._lock:
            try:
                while line:
                    line = line[os.write(self._pipe, line) :]
                os.write(_BELL, b"\n")
            except OSError:  # diaken is gone: nobody would hear of what happens from now on
                os.kill(self._process, signal.SIGTERM)


def _of_task(task):
    action = getattr(task, "resolved_action", None) or task.action
    name = str(task.name or task.action)[:MOST_NAME]
    return {"task_uuid": str(task._uuid), "task": name, "action": str(action)[:MOST_NAME]}


def _cut(text):
    """The text of an event as far as it is kept, and how many characters are not."""
    return {"text": text[:MOST_TEXT], "left_out": max(0, len(text) - MOST_TEXT)}


def _first_failure(lines):
    """Where the failure itself begins, behind what was printed of its cause."""
    return next((n for n, line in enumerate(lines) if line.startswith(_FAILURES)), 0)


def _excerpt(details):
    if details.get(_ALL_FIELDS) is True:
        return _Excerpt().of(details)
    return _Excerpt().of({name: details[name] for name in _FIELDS if name in details})


class _Excerpt:
    """Copies values as JSON has them, as far as the bounds allow."""

    def __init__(self):
        self._left = MOST_VALUES

    def of(self, value, depth=0):
        self._left -= 16  # each value costs, an empty one too
        if value is None or isinstance(value, bool):
            return value
        if self._left <= 0 or depth > DEEPEST:
            return _MORE
        if isinstance(value, (int, float)):
            return value if abs(value) < 1e15 else self._string(_number(value))
        if isinstance(value, dict):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple, set)):
            return self._list(value, depth)
        if hasattr(value, "_ciphertext"):  # of a vault: as a text it would be opened
            return {"__ansible_vault": self._string(str(value._ciphertext))}
        return self._string(str(value))

    def _mapping(self, value, depth):
        members = {}
        for key, member in islice(value.items(), MOST_ENTRIES):
            if self._left <= 0:
                break
            members[self._string(str(key))] = self.of(member, depth + 1)
        return members

    def _list(self, value, depth):
        items = []
        for item in islice(value, MOST_ENTRIES):
            if self._left <= 0:
                break
            items.append(self.of(item, depth + 1))
        return items

    def _string(self, text):
        most = min(MOST_STRING, max(self._left, 100))
        if len(text) > most:  # of an output the end says why, of a message the beginning
            text = text[: most // 2] + _CUT + text[len(text) - most // 2 :]
        self._left -= len(text)
        return text


def _number(value):
    """A large number as a text, or one that JSON does not have."""
    try:
        return str(value)[:MOST_NAME]
    except ValueError:  # of more digits than Python converts
        return _MORE
