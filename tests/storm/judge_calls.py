"""What each command answered is what the contract says, whatever was done to it."""

import re
from collections.abc import Iterator
from typing import Any

from tests.storm.calls import Call
from tests.storm.evidence import Evidence, Finding

STATUSES = {0, 1, 2, 3, 10, 11, 12, 13, 14, 130}
RUN_FIELDS = {
    *("id", "kind", "target_type", "target", "environment", "playbook", "status", "trigger"),
    *("task", "user", "error", "leftovers", "started_at", "finished_at", "duration_seconds"),
    *("steps", "totals", "hosts"),
}
OF_RUN_STATUS = {
    "success": {0},
    "partial": {3},
    "canceled": {130},
    "failed": {1, 2, 10, 11, 12, 13, 14},
    "interrupted": {1, 130},
}
OWN_RUN = ("deploy", "run", "deploy resume")
"""Commands that print the run that they have carried out."""

MOST_MIB = 300
_DEFECT = re.compile(r'unexpected \w*(Error|Exception|Warning|Exit)|"unexpected"')
_SAID = 500  # characters of an answer in a finding


def answers(evidence: Evidence) -> Iterator[Finding]:
    """Exit statuses, JSON, and no word of a defect."""
    for call in evidence.calls:
        for wrong in _wrong(call):
            hit = [sent.name for sent in call.sent]
            said = f"{call.out[-_SAID:]} {call.err[-_SAID:]}"
            yield Finding("answer", f"{wrong}: {call.words} → {call.status} {hit}: {said}")


def memory(evidence: Evidence) -> Iterator[Finding]:
    """No command needs much, however long the storm has been going on."""
    for call in evidence.calls:
        if call.peak_mib > MOST_MIB:
            yield Finding("memory", f"{call.words}: {call.peak_mib} MiB")


def _wrong(call: Call) -> Iterator[str]:
    if "Traceback (most recent" in call.out + call.err:
        yield "a traceback"
    if _DEFECT.search(call.out + call.err):
        yield "a defect"
    if call.hung:
        yield f"not ended after {call.seconds} s"
    elif call.status is None or call.status < 0:
        if not call.killed:
            yield "died of a signal"
    elif call.status not in STATUSES:
        yield "an exit status that is not in the contract"
    else:
        yield from _wrong_answer(call)


def _wrong_answer(call: Call) -> Iterator[str]:
    signaled = {"SIGTERM", "SIGINT"} & {sent.name for sent in call.sent}
    if call.status == 130 and not signaled and '"canceled"' not in call.out:
        yield "130, and nobody canceled it"
    try:
        answer = call.json()
    except ValueError:
        yield "not one JSON document"
        return
    if isinstance(answer, dict) and "status" in answer and call.name in OWN_RUN:
        yield from _wrong_run(call, answer)
    elif call.status not in (0, 1, 3) and not _error_code(answer):
        yield "no error.code"


def _wrong_run(call: Call, run: dict[str, Any]) -> Iterator[str]:
    if missing := RUN_FIELDS - set(run):
        yield f"fields are missing: {sorted(missing)}"
    if call.status not in OF_RUN_STATUS.get(run["status"], set()):
        yield f"the run's status is {run['status']}"


def _error_code(answer: Any) -> Any:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error.get("code") if isinstance(error, dict) else None
