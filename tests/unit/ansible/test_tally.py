"""What Ansible's events come to on each host: its counters decide, and what failed is named."""

from typing import Any

import pytest

from diaken_cli.events import TaskFinished
from diaken_cli.services.ansible.results import CutShort, Tally
from diaken_cli.services.ansible.translate import (
    Translator,
)
from diaken_cli.services.ansible.work import Target
from diaken_cli.types import CANCELED_MESSAGE, HostCounters, HostResult, HostStatus
from tests.unit.ansible.events import ended, raw

TARGETS = (Target("web01", "10.0.0.1"), Target("web02", "10.0.0.2"))


def tally_of(*events: dict[str, Any]) -> Tally:
    """As launch.py feeds it."""
    tally, translator = Tally(), Translator("update")
    for event in events:
        tally.note_playbook(event)
        if event["event"] == "runner_on_start":
            tally.begin(event["host"], translator.task_name(event))
        for ours in translator.translate(event):
            if isinstance(ours, TaskFinished):
                tally.note(ours)
    return tally


def stats(**counts: dict[str, int]) -> dict[str, Any]:
    names = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored", "processed")
    return {"event": "playbook_on_stats", **{name: counts.get(name, {}) for name in names}}


START = raw("runner_on_start", host="web01", task="Install", task_uuid="t1")


def test_ansibles_counters_decide() -> None:
    tally = tally_of(
        raw("playbook_on_start"),
        START,
        ended("runner_on_failed", res={"msg": "why"}),
        stats(ok={"web01": 2}, failures={"web01": 1}, ignored={"web01": 1}, processed={"web01": 1}),
    )

    assert tally.started
    assert tally.finished
    assert tally.reached == {"web01"}
    assert tally.judge(TARGETS, CutShort("")) == (
        HostResult(
            *("web01", "10.0.0.1", HostStatus.FAILED),
            *(HostCounters(ok=2, failed=1, ignored=1), "Install", "why"),
        ),
        HostResult("web02", "10.0.0.2", HostStatus.SKIPPED),
    )


def test_a_host_that_was_unreachable_once_is_unreachable() -> None:
    tally = tally_of(
        ended("runner_on_unreachable", res={"msg": "gone"}),
        stats(ok={"web01": 5}, dark={"web01": 1}, processed={"web01": 1}),
    )

    result = tally.judge(TARGETS, CutShort(""))[0]
    assert (result.status, result.message) == (HostStatus.UNREACHABLE, "gone")


NO_ROUTE = "ssh: connect to host 10.0.0.1 port 22: No route to host"


def unreached(said: str) -> dict[str, Any]:
    message = f"Failed to connect to the host via ssh: {said}"
    return ended("runner_on_unreachable", res={"msg": message})


@pytest.mark.parametrize(
    ("said", "more", "reached"),
    [
        (NO_ROUTE, (), False),
        ("Connection to 10.0.0.1 closed by remote host.", (), True),  # in the middle of a task
        (NO_ROUTE, (START,), True),  # it may be there by now
        (NO_ROUTE, (START, ended("runner_on_ok")), True),
        (NO_ROUTE, (START, unreached(NO_ROUTE)), False),
    ],
)
def test_a_host_that_never_answered_was_not_reached(
    said: str, more: tuple[dict[str, Any], ...], *, reached: bool
) -> None:
    tally = tally_of(START, unreached(said), *more)

    assert tally.reached == ({"web01"} if reached else set())


def test_the_failure_that_counts_is_not_one_that_was_rescued() -> None:
    tally = tally_of(
        ended("runner_on_failed", task="Rescued", task_uuid="t1", res={"msg": "harmless"}),
        ended("runner_on_failed", task="Fatal", task_uuid="t2", res={"msg": "the end"}),
        stats(failures={"web01": 1}, rescued={"web01": 1}, processed={"web01": 1}),
    )

    result = tally.judge(TARGETS, CutShort(""))[0]
    assert (result.failed_task, result.message) == ("Fatal", "the end")


def test_a_host_between_two_tasks_was_canceled_in_none() -> None:
    done = ended("runner_on_ok", task="Install", task_uuid="t1")
    tally = tally_of(raw("playbook_on_start"), START, done)
    stopped = CutShort(CANCELED_MESSAGE, canceled=True, by_us=True)

    result = tally.judge(TARGETS, stopped)[0]
    assert (result.failed_task, result.message, result.canceled) == (None, "canceled", True)

    too_late = CutShort("stopped: it exceeded the timeout of 5 seconds", by_us=True)
    result = tally.judge(TARGETS, too_late)[0]
    assert (result.failed_task, result.canceled, result.counters.failed) == (None, False, 1)


def test_cut_short_no_host_is_good() -> None:
    tally = tally_of(
        raw("playbook_on_start"),
        START,
        ended("runner_on_ok", res={"changed": True}),
        raw("runner_on_start", host="web01", task="Sleep", task_uuid="t2"),
    )

    assert not tally.finished
    assert tally.judge(TARGETS, CutShort("stopped")) == (
        HostResult(
            *("web01", "10.0.0.1", HostStatus.FAILED),
            *(HostCounters(ok=1, changed=1, failed=1), "Sleep", "stopped"),
        ),
        HostResult("web02", "10.0.0.2", HostStatus.SKIPPED),
    )
