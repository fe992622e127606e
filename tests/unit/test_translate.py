"""ansible-runner's events become ours: named fields, no secret, no flood."""

import json
from typing import Any

import pytest

from diaken_cli.events import Event, PlayStarted, TaskFinished, TaskStarted, Warned
from diaken_cli.services.ansible.results import Tally
from diaken_cli.services.ansible.translate import (
    MESSAGE_LIMIT,
    TEXT_LIMIT,
    Translator,
)
from diaken_cli.services.ansible.work import Target
from diaken_cli.words import HostCounters, HostResult, HostStatus, TaskResult

SECRET = "hunter2!"

ADDED = "Warning: Permanently added '10.0.4.21' (ED25519) to the list of known hosts.\r\n"
CLOSED = "Shared connection to 10.0.4.21 closed.\r\n"  # raw has a terminal: ssh says so


def raw(event: str, text: str = "", **data: Any) -> dict[str, Any]:
    """An event as ansible-runner 2.4 gives it, as far as it is looked at."""
    return {"event": event, "stdout": text, "event_data": data}


def ended(event: str, text: str = "", host: str = "web01", **data: Any) -> dict[str, Any]:
    """The end of the task `t1` on a host; `res` is Ansible's result."""
    whole = {"task": "Install", "task_uuid": "t1", "duration": 0.5, "task_action": "apt"} | data
    return raw(event, text, host=host, **whole)


def all_of(*events: dict[str, Any], secrets: tuple[str, ...] = ()) -> list[Event]:
    translator = Translator("update", secrets)
    return [ours for each in events for ours in translator.translate(each)]


def one(*events: dict[str, Any], secrets: tuple[str, ...] = ()) -> TaskFinished:
    """The last of them, which is the end of a task."""
    last = all_of(*events, secrets=secrets)[-1]
    assert isinstance(last, TaskFinished)
    return last


def test_a_play_and_its_task_are_told_by_the_names_that_ansible_prints() -> None:
    play, task, end = all_of(
        raw("playbook_on_start"),
        raw("playbook_on_play_start", name="Update"),
        raw(
            "playbook_on_task_start",
            name="common : Install vim",
            task="Install {{ editor }}",
            task_uuid="t1",
            resolved_action="ansible.builtin.apt",
            task_action="apt",
        ),
        raw("runner_on_start", host="web01"),
        ended("runner_on_ok", "changed: [web01]", res={"changed": True}),
        raw("playbook_on_stats"),
    )

    assert isinstance(play, PlayStarted)
    assert (play.playbook, play.play) == ("update", "Update")
    assert isinstance(task, TaskStarted)
    assert (task.task, task.action) == ("common : Install vim", "ansible.builtin.apt")
    assert isinstance(end, TaskFinished)
    assert (end.play, end.task, end.host) == ("Update", "common : Install vim", "web01")
    assert (end.result, end.duration_seconds) == (TaskResult.CHANGED, 0.5)
    assert end.message is None


def test_what_is_not_utf8_can_be_stored() -> None:
    play, end = all_of(
        raw("playbook_on_play_start", name="caf\udce9"),
        ended(
            "runner_item_on_failed",
            "caf\udce9",
            res={"msg": "\ud800", "item": "\udfff"},
            task="\udc00",
        ),
    )

    assert isinstance(play, PlayStarted)
    assert isinstance(end, TaskFinished)
    said = (play.play, end.task, end.item, end.message, end.text)
    assert said == ("caf\ufffd", "\ufffd", "\ufffd", "\ufffd", "caf\ufffd")


@pytest.mark.parametrize(
    ("event", "data", "result"),
    [
        ("runner_on_ok", {"res": {"changed": False}}, TaskResult.OK),
        ("runner_on_ok", {"res": {}}, TaskResult.OK),
        ("runner_on_ok", {}, TaskResult.OK),
        ("runner_on_ok", {"res": {"changed": True}}, TaskResult.CHANGED),
        ("runner_on_failed", {"res": {"msg": "no"}}, TaskResult.FAILED),
        ("runner_on_failed", {"res": {}, "ignore_errors": True}, TaskResult.IGNORED),
        ("runner_on_unreachable", {"res": {"msg": "no"}}, TaskResult.UNREACHABLE),
        ("runner_on_skipped", {"res": {"changed": False}}, TaskResult.SKIPPED),
    ],
)
def test_each_end_has_its_result(event: str, data: dict[str, Any], result: TaskResult) -> None:
    assert one(ended(event, **data)).result is result


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"msg": "No package matching 'x'"}, "No package matching 'x'"),
        ({"msg": "Task failed: Module failed"}, "Module failed"),
        ({}, "no reason given"),
        ({"msg": "non-zero return code", "rc": 3, "stderr": "a\nlast\n"}, "… (3): a; last"),
        (
            {"msg": "The command exited with a non-zero return code.", "rc": 3, "stderr": "last"},
            "… (3): last",
        ),
        ({"msg": "non-zero return code", "rc": 3, "stdout": "said\n", "stderr": ""}, "… (3): said"),
        ({"msg": "non-zero return code", "rc": 3, "stdout": "", "stderr": ""}, "…"),
        (
            {"msg": "non-zero return code", "rc": 7, "stderr": "1\n\n 2\n3\n4\n", "stdout": "x"},
            "… (7): 2; 3; 4",
        ),
        (
            {"msg": "non-zero return code", "rc": 3, "stdout": "said\n", "stderr": ADDED},
            "… (3): said",
        ),
        (
            {"msg": "non-zero return code", "rc": 3, "stdout": "said\r\n", "stderr": CLOSED},
            "… (3): said",
        ),
        ({"reason": "Could not find x.yml"}, "Could not find x.yml"),
        (
            {"msg": "MODULE FAILURE", "rc": 1, "module_stderr": "sh: not found\n"},
            "MODULE FAILURE (1): sh: not found",
        ),
        ({"censored": "the output has been hidden"}, "the output has been hidden"),
    ],
)
def test_a_failure_has_a_reason(details: dict[str, Any], message: str) -> None:
    expected = message.replace("…", "non-zero return code")

    assert one(ended("runner_on_failed", res=details)).message == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", "No route to host"),
        ("deploy@10.0.0.1: Permission denied (publickey).", "Permission denied (publickey)."),
        (
            "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@\nIT IS POSSIBLE …",
            "`diaken hosts forget-key web01`",
        ),
        ("Host key verification failed.", "`diaken hosts forget-key web01`"),
    ],
)
def test_a_host_that_ssh_did_not_reach_says_what_to_do(said: str, message: str) -> None:
    details = {"msg": f"Failed to connect to the host via ssh: {said}", "unreachable": True}
    end = one(ended("runner_on_unreachable", res=details))

    assert end.message is not None
    assert message in end.message
    assert "\n" not in end.message


def test_the_items_of_a_loop_are_told_and_the_first_failure_is_the_reason() -> None:
    events = all_of(
        ended("runner_item_on_ok", res={"item": "a", "changed": True}),
        ended("runner_item_on_failed", res={"item": "b", "msg": "b is bad", "failed": True}),
        ended("runner_item_on_failed", res={"item": "c", "msg": "c is bad", "failed": True}),
        ended("runner_item_on_skipped", res={"item": {"name": "d"}, "_ansible_item_label": "d"}),
        ended("runner_on_failed", res={"msg": "One or more items failed", "failed": True}),
        ended("runner_on_failed", host="web02", res={"msg": "of its own", "failed": True}),
    )

    assert all(isinstance(event, TaskFinished) for event in events)
    ends = [event for event in events if isinstance(event, TaskFinished)]
    assert [end.item for end in ends] == ["a", "b", "c", "d", None, None]
    assert [end.message for end in ends] == [
        *(None, "b is bad", "c is bad", None),
        *("item b: b is bad", "of its own"),
    ]


def test_no_log_hides_all_but_whether_it_changed() -> None:
    hidden = {"censored": "the output has been hidden", "changed": True}
    changed = one(ended("runner_on_ok", "changed: [web01]", res={"censored": "hidden"}))
    unchanged = one(ended("runner_on_ok", "ok: [web01]", res=hidden))
    item = one(ended("runner_item_on_ok", "changed: [web01] => (item=None)", res=hidden))

    assert changed.result is TaskResult.CHANGED
    assert unchanged.result is TaskResult.OK
    assert (item.item, item.result) == ("********", TaskResult.CHANGED)


def test_a_secret_appears_in_no_field() -> None:
    translator = Translator("update", ("", SECRET))
    events = [
        ours
        for each in (
            raw("playbook_on_play_start", name=f"Play {SECRET}"),
            raw("playbook_on_task_start", name=f"Task {SECRET}", task_uuid="t1"),
            ended("runner_item_on_ok", f"ok: {SECRET}", res={"item": {"password": SECRET}}),
            raw("runner_retry", f"retrying {SECRET}", host="web01"),
            ended("runner_on_failed", f"fatal: [web01]: {SECRET}", res={"msg": f"no {SECRET}"}),
            raw("warning", f"[WARNING]: {SECRET} is weak"),
        )
        for ours in translator.translate(each)
    ]
    list(translator.translate(raw("verbose", f"ERROR! {SECRET}")))

    assert len(events) == 5
    assert SECRET not in str(events)
    assert SECRET not in translator.said
    assert str(events).count("********") >= 8


@pytest.mark.parametrize("secret", ['say "no"', "back\\slash", "größer", "tab\there"])
def test_a_secret_is_hidden_as_it_stands_in_printed_json_too(secret: str) -> None:
    for printed in (json.dumps({"msg": secret}), json.dumps({"msg": secret}, ensure_ascii=False)):
        end = one(ended("runner_on_ok", f"ok: [web01] => {printed}"), secrets=(secret,))

        assert end.text == 'ok: [web01] => {"msg": "********"}'


def test_what_comes_ahead_of_a_result_stands_in_front_of_it() -> None:
    end = one(
        raw("runner_on_file_diff", "--- before\n+++ after", host="web01"),
        raw("runner_retry", "FAILED - RETRYING", host="web02"),
        ended("runner_on_ok", "\r\nchanged: [web01]\r\n", res={"changed": True}),
    )

    assert end.text == "--- before\n+++ after\nchanged: [web01]"


def test_the_source_that_ansible_prints_in_front_of_a_failure_is_left_out() -> None:
    printed = (
        '[ERROR]: Task failed\nOrigin: /x.yml:3:7\n\n3 - name: y\nfatal: [web01]: FAILED! => {"a"}'
    )

    assert one(ended("runner_on_failed", printed, res={"msg": "x"})).text == (
        'fatal: [web01]: FAILED! => {"a"}'
    )


def test_a_flood_is_cut_and_says_so() -> None:
    flood = "x" * (TEXT_LIMIT + 5)
    end = one(ended("runner_on_failed", flood, res={"msg": "m" * MESSAGE_LIMIT + " is the cause"}))

    assert end.text == f"{'x' * TEXT_LIMIT}\n[5 more characters left out]"
    assert end.message is not None
    assert len(end.message) <= MESSAGE_LIMIT
    assert end.message.endswith("m is the cause")


def test_a_secret_at_the_cut_is_hidden_first() -> None:
    """Half of it would be shown, were it looked for after the cut."""
    end = one(ended("runner_on_failed", res={"msg": SECRET * MESSAGE_LIMIT}), secrets=(SECRET,))

    assert end.message is not None
    assert set(end.message) == set("* …")


def test_a_warning_is_one_line_without_its_sign() -> None:
    (warned,) = all_of(raw("warning", "[WARNING]: this is\n  long"), raw("system_warning", ""))

    assert isinstance(warned, Warned)
    assert warned.message == "this is long"


# ── what it comes to on each host ──────────────────────────────────────────────────────────────

TARGETS = (Target("web01", "10.0.0.1"), Target("web02", "10.0.0.2"))


def tally_of(*events: dict[str, Any]) -> Tally:
    """As launch.py feeds it."""
    tally, translator = Tally(), Translator("update")
    for each in events:
        tally.note_raw(each)
        if each["event"] == "runner_on_start":
            tally.begin(each["event_data"]["host"], translator.task_name(each["event_data"]))
        for ours in translator.translate(each):
            if isinstance(ours, TaskFinished):
                tally.note(ours)
    return tally


def stats(**counts: dict[str, int]) -> dict[str, Any]:
    names = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored", "processed")
    data = {name: counts.get(name, {}) for name in names}
    return {"event": "playbook_on_stats", "event_data": data}


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
    assert tally.judge(TARGETS, "") == (
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

    result = tally.judge(TARGETS, "")[0]
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

    result = tally.judge(TARGETS, "")[0]
    assert (result.failed_task, result.message) == ("Fatal", "the end")


def test_cut_short_no_host_is_good() -> None:
    tally = tally_of(
        raw("playbook_on_start"),
        START,
        ended("runner_on_ok", res={"changed": True}),
        raw("runner_on_start", host="web01", task="Sleep", task_uuid="t2"),
    )

    assert not tally.finished
    assert tally.judge(TARGETS, "stopped") == (
        HostResult(
            *("web01", "10.0.0.1", HostStatus.FAILED),
            *(HostCounters(ok=1, changed=1, failed=1), "Sleep", "stopped"),
        ),
        HostResult("web02", "10.0.0.2", HostStatus.SKIPPED),
    )


# ── what a playbook prints on purpose ────────────────────────────────────────────────────────


def debug(**shown: Any) -> dict[str, Any]:
    """A result of `debug`, as Ansible gives it."""
    return {"_ansible_verbose_always": True, "changed": False, "_ansible_no_log": False, **shown}


@pytest.mark.parametrize(
    ("details", "text"),
    [
        (debug(msg="hello\nthere"), "hello\nthere"),
        (debug(msg=["one", "two\nthree"]), "one\ntwo\nthree"),
        (debug(msg=17), "17"),
        (debug(msg=[]), "[]"),
        (
            debug(msg={"name": "web01", "ips": ["a", "b"], "none": None, "deep": {"x": True}}),
            "name: web01\nips: a, b\nnone: null\ndeep:\n  x: true",
        ),
        (debug(msg={"disks": [{"a": 1, "b": 2}]}), "disks:\n  - a: 1\n    b: 2"),
        (debug(motd="one\ntwo"), "motd:\n  one\n  two"),
        (debug(user="ada", item="x", ansible_loop_var="item"), "user: ada"),
        (debug(item="x", ansible_loop_var="item"), "item: x"),
        (debug(msg="All assertions passed"), None),
        (debug(msg="all is well"), "all is well"),
        ({"censored": "the output has been hidden", "_ansible_verbose_always": True}, None),
        ({"msg": "not on purpose", "changed": True}, None),
    ],
)
def test_what_a_playbook_prints_on_purpose(details: dict[str, Any], text: str | None) -> None:
    assert one(ended("runner_on_ok", res=details)).printed == text


def test_each_item_of_a_loop_prints_its_own_and_the_loop_nothing_more() -> None:
    item, end = all_of(
        ended("runner_item_on_ok", res=debug(msg="first", item="x", ansible_loop_var="item")),
        ended("runner_on_ok", res={"results": [debug(msg="first")], "msg": "All items completed"}),
    )
    assert isinstance(item, TaskFinished)
    assert isinstance(end, TaskFinished)
    assert (item.printed, end.printed) == ("first", None)


def test_a_diff_is_printed_with_the_result_that_it_belongs_to() -> None:
    diff = raw("runner_on_file_diff", "--- before\r\n+++ after\r\n@@ -1 +1 @@\r\n+x", host="web01")
    empty = raw("runner_on_file_diff", "", host="web01")
    shown = one(empty, diff, ended("runner_on_ok", "changed: [web01]", res={"changed": True}))
    assert shown.printed == "--- before\n+++ after\n@@ -1 +1 @@\n+x"
    other = one(diff, ended("runner_on_ok", host="web02", res={"changed": True}))
    assert other.printed is None


def test_a_failure_prints_nothing_beside_its_message() -> None:
    end = one(ended("runner_on_failed", res=debug(msg="one\ntwo", assertion="x")))
    assert (end.message, end.printed) == ("one\ntwo", None)


def test_what_is_printed_has_no_secret_wherever_it_stands() -> None:
    secret = "hun\nter2"
    details = debug(msg={f"key {secret}": [{"a": f"x{secret}y"}], "list": ["b", secret]})
    shown = one(ended("runner_on_ok", res=details), secrets=(secret,)).printed
    assert shown is not None
    assert ("hun" in shown, "ter2" in shown, shown.count("****")) == (False, False, 3 * 2)
    assert one(ended("runner_on_ok", res=debug(msg=SECRET)), secrets=(SECRET,)).printed == "*" * 8


def test_what_is_printed_is_bounded() -> None:
    shown = one(ended("runner_on_ok", res=debug(msg="x" * (TEXT_LIMIT + 7)))).printed
    assert shown is not None
    assert shown.endswith("[7 more characters left out]")
    deep: Any = "bottom"
    for _ in range(500):
        deep = [deep]
    assert "bottom" in str(one(ended("runner_on_ok", res=debug(msg=deep))).printed)
