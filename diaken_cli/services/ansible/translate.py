"""Events of the callback plugin -> ours: named fields only, never a whole result of Ansible."""

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

from diaken_cli.events import Event, PlayStarted, TaskFinished, TaskStarted, Warned
from diaken_cli.services.ansible.printed import printed
from diaken_cli.services.ansible.reasons import (
    ERROR_SIGNS,
    MESSAGE_LIMIT,
    ansible_failure_reason,
    task_failure_reason,
)
from diaken_cli.types import TaskResult
from diaken_cli.units import shortened

TEXT_LIMIT = 256 * 1024  # characters of one task's output on one host
ITEM_LIMIT = 60  # characters of an item in front of its reason
_HIDDEN = "********"
# Bytes that are not UTF-8 come from Ansible as halves of surrogate pairs, which nothing can store.
_NO_CHARACTER = re.compile("[\ud800-\udfff]")

_RESULTS = {
    "runner_on_ok": TaskResult.OK,
    "runner_on_failed": TaskResult.FAILED,
    "runner_on_unreachable": TaskResult.UNREACHABLE,
    "runner_on_skipped": TaskResult.SKIPPED,
    "runner_item_on_ok": TaskResult.OK,
    "runner_item_on_failed": TaskResult.FAILED,
    "runner_item_on_skipped": TaskResult.SKIPPED,
}
_DIFF = "runner_on_file_diff"
_AHEAD_OF_RESULT = (_DIFF, "runner_retry", "runner_on_async_poll")
_WARNING = "[WARNING]: "
# Of a module, on each host that Ansible is on for the first time. There is nothing to do about it:
# the folder is the account's own, and is made as it should be (AnsibleModule.tmpdir).
_MADE_REMOTE_TMP = re.compile(
    r"Module remote_tmp .* did not exist and was created with a mode of 0700,"
    r" this may cause issues when running as another user\. To avoid this, create the remote_tmp"
    r" dir with the correct permissions manually"
)


class Translator:
    """Translates the events of one playbook, in the order in which they come.

    `playbook` is the playbook's name. Where one of `secrets` would appear it is hidden; what
    `no_log` hides Ansible has left out already.
    """

    def __init__(self, playbook: str, secrets: tuple[str, ...] = ()) -> None:
        self._playbook = playbook
        self._secrets = tuple(form for secret in secrets if secret for form in _forms(secret))
        self._play = ""
        self._task_names: dict[str, str] = {}
        self._ahead: defaultdict[str, list[str]] = defaultdict(list)
        self._diffs: defaultdict[str, list[str]] = defaultdict(list)
        self._item_failures: dict[tuple[str, str], str] = {}
        self._stray: deque[str] = deque(maxlen=60)

    def translate(self, raw: Mapping[str, Any]) -> Iterator[Event]:
        """Our events for one of the plugin's; none for what only the tally is interested in."""
        kind = raw["event"]
        if kind in _RESULTS:
            yield self._finished(kind, raw)
        elif kind in _AHEAD_OF_RESULT:
            host, text = raw["host"], self._text(raw)
            if text and sum(map(len, self._ahead[host])) < TEXT_LIMIT:
                self._ahead[host].append(f"{text}\n")
                if kind == _DIFF:
                    self._diffs[host].append(text)
        elif kind == "playbook_on_task_start":
            yield self._task_started(raw)
        elif kind == "playbook_on_play_start":
            self._play = self._hide(raw["name"])
            yield PlayStarted(playbook=self._playbook, play=self._play)
        elif kind == "printed":
            text = self._text(raw)
            if text.startswith(ERROR_SIGNS):  # its last words, where it goes on no more
                self._stray.clear()
                yield Warned(message=" ".join(ansible_failure_reason(text).split()))
            yield from self.translate_printed(text, raw["host"])

    def translate_printed(self, text: str, host: str | None = None) -> Iterator[Warned]:
        """What Ansible says beside the results, of a host where it is a warning of its module's."""
        if text.startswith(_WARNING):
            message = " ".join(self._hide(text.removeprefix(_WARNING)).split())
            if host is not None and _MADE_REMOTE_TMP.fullmatch(message):
                return
            yield Warned(message=shortened(message, MESSAGE_LIMIT), host=host)
        else:
            self._stray.extend(self._hide(text).splitlines())

    def task_name(self, raw: Mapping[str, Any]) -> str:
        """The name of an event's task as Ansible prints it."""
        name = self._task_names.get(raw["task_uuid"])
        return self._hide(raw["task"]) if name is None else name

    @property
    def last_output(self) -> str:
        """What Ansible printed last, beside its tasks: why it could not go on."""
        return ansible_failure_reason("\n".join(self._stray))

    def _task_started(self, raw: Mapping[str, Any]) -> TaskStarted:
        # Only here Ansible gives the name as it prints it, with the role and templates resolved.
        name = self._hide(raw["name"] or raw["task"])
        self._task_names[raw["task_uuid"]] = name
        return TaskStarted(
            playbook=self._playbook, play=self._play, task=name, action=raw["action"]
        )

    def _finished(self, kind: str, raw: Mapping[str, Any]) -> TaskFinished:
        host, task = raw["host"], raw["task_uuid"]
        details: Mapping[str, Any] = raw["res"]
        is_item = kind.startswith("runner_item_")
        result = _result(kind, raw)
        message = None
        if result in (TaskResult.FAILED, TaskResult.IGNORED, TaskResult.UNREACHABLE):
            full_reason = task_failure_reason(host, details, raw["delegated_to"], self._hide)
            message = shortened(full_reason, MESSAGE_LIMIT)
            if is_item:
                item = shortened(" ".join(self._item(details).split()), ITEM_LIMIT)
                item_message = shortened(f"item {item}: {message}", MESSAGE_LIMIT)
                self._item_failures.setdefault((host, task), item_message)
            else:  # of a loop Ansible says only that items failed: the first one says why
                message = self._item_failures.pop((host, task), message)
        shown = self._diffs.pop(host, [])
        if message is None and (output := printed(details, self._hide)):
            shown.append(output)
        return TaskFinished(
            playbook=self._playbook,
            play=self._play,
            task=self.task_name(raw),
            action=raw["action"],
            host=host,
            result=result,
            item=self._item(details) if is_item else None,
            duration_seconds=float(raw["duration"]),
            message=message,
            text=self._clean(
                "".join((*self._ahead.pop(host, ()), raw["text"].strip("\r\n"))), raw["left_out"]
            ),
            printed=self._clean("\n".join(shown)) or None,
        )

    def _item(self, details: Mapping[str, Any]) -> str:
        label = details.get("_ansible_item_label", details.get("item"))
        return _HIDDEN if label is None else self._hide(str(label))[:MESSAGE_LIMIT]

    def _text(self, raw: Mapping[str, Any]) -> str:
        return self._clean(raw["text"], raw["left_out"])

    def _clean(self, text: str, left_out: int = 0) -> str:
        """A text as it is kept; `left_out` characters of it did not even come here."""
        text = self._hide(text.replace("\r\n", "\n").strip("\n"))
        left_out += max(0, len(text) - TEXT_LIMIT)
        if left_out:
            text = f"{text[:TEXT_LIMIT]}\n[{left_out} more characters left out]"
        return text

    def _hide(self, text: str) -> str:
        """What can be stored and shown of a text of Ansible's."""
        text = _NO_CHARACTER.sub("\ufffd", text)
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text


def _forms(secret: str) -> list[str]:
    """As it is and as it stands in the JSON that Ansible prints; the longest first."""
    escaped = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    return sorted({secret, *escaped}, key=len, reverse=True)


def _result(kind: str, raw: Mapping[str, Any]) -> TaskResult:
    result = _RESULTS[kind]
    if result in (TaskResult.FAILED, TaskResult.UNREACHABLE) and raw.get("ignored"):
        return TaskResult.IGNORED
    if result is TaskResult.OK and raw["changed"]:
        return TaskResult.CHANGED
    return result
