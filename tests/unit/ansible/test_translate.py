"""The callback plugin's events become ours: named fields, no secret, no flood."""

import json
from typing import Any

import pytest

from diaken_cli.events import PlayStarted, TaskFinished, TaskStarted, Warned
from diaken_cli.services.ansible.reasons import MESSAGE_LIMIT
from diaken_cli.services.ansible.translate import (
    TEXT_LIMIT,
    Translator,
)
from diaken_cli.types import TaskResult
from tests.unit.ansible.events import OF_TASK, SECRET, all_of, ended, one, raw

ADDED = "Warning: Permanently added '10.0.4.21' (ED25519) to the list of known hosts.\r\n"
CLOSED = "Shared connection to 10.0.4.21 closed.\r\n"  # raw has a terminal: ssh says so


def test_a_play_and_its_task_are_told_by_the_names_that_ansible_prints() -> None:
    play, task, end = all_of(
        raw("playbook_on_start"),
        raw("playbook_on_play_start", name="Update"),
        raw(
            "playbook_on_task_start",
            name="common : Install vim",
            task="Install {{ editor }}",
            task_uuid="t1",
            action="ansible.builtin.apt",
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
        ("runner_on_ok", {"res": {"changed": True}}, TaskResult.CHANGED),
        ("runner_on_failed", {"res": {"msg": "no"}}, TaskResult.FAILED),
        ("runner_on_failed", {"res": {}, "ignored": True}, TaskResult.IGNORED),
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
        ({"msg": "non-zero return code", "rc": 3, "stdout": "", "stderr": ""}, "… (3)"),
        ({"msg": "non-zero return code", "rc": 1, "cmd": ["ls", "a b"]}, "… (1) of: ls 'a b'"),
        ({"msg": "non-zero return code", "rc": 1, "cmd": "cd /\nfalse\n"}, "… (1) of: cd / false"),
        ({"msg": "non-zero return code", "rc": 1, "cmd": "false", "stderr": "no"}, "… (1): no"),
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
        (
            {
                "msg": "The following modules failed to execute: ansible.legacy.setup.",
                "failed_modules": {
                    "ansible.legacy.setup": {
                        "msg": "Module result deserialization failed.",
                        "rc": 127,
                        "module_stderr": "/bin/sh: 1: /usr/bin/python9: not found\n",
                    }
                },
            },
            "the Python interpreter /usr/bin/python9 was not found on the host",
        ),
        (
            {"msg": "The module interpreter '/opt/py' was not found.", "rc": 127},
            "the Python interpreter /opt/py was not found on the host",
        ),
        (
            {
                "msg": "MODULE FAILURE",
                "rc": 127,
                "module_stdout": "bash: line 1: /opt/py: No such file or directory\r\n",
            },
            "the Python interpreter /opt/py was not found on the host",
        ),
        (
            {"msg": "non-zero return code", "rc": 127, "stderr": "sh: 1: /opt/x: not found"},
            "… (127): sh: 1: /opt/x: not found",
        ),
        (
            {"msg": "Action failed: Unknown error.", "message": "no vault secrets"},
            "no vault secrets",
        ),
        ({"censored": "the output has been hidden"}, "the output has been hidden"),
    ],
)
def test_a_failure_has_a_reason(details: dict[str, Any], message: str) -> None:
    expected = message.replace("…", "non-zero return code")

    assert one(ended("runner_on_failed", res=details)).message == expected


def test_of_a_task_that_is_delegated_it_is_told_where_it_failed() -> None:
    text = "[WARNING]: x\nfatal: [web01 -> evil]: FAILED! => {}"  # words of the host

    def message(**data: str) -> str | None:
        return one(ended("runner_on_failed", text, res={"msg": "no"}, **data)).message

    assert message(delegated_to="lb01") == "on lb01: no"
    assert message(delegated_to="web01") == "no"
    assert message() == "no"


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
    hidden = {"censored": "the output has been hidden"}
    changed = one(ended("runner_on_ok", "changed: [web01]", res=hidden, changed=True))
    unchanged = one(ended("runner_on_ok", "ok: [web01]", res=hidden))
    item = one(ended("runner_item_on_ok", "changed: [web01]", res=hidden, changed=True))

    assert changed.result is TaskResult.CHANGED
    assert unchanged.result is TaskResult.OK
    assert (item.item, item.result) == ("********", TaskResult.CHANGED)


def test_what_a_host_says_is_censored_is_its_text_as_any_other() -> None:
    end = one(ended("runner_on_failed", res={"censored": f"\ud800{SECRET}"}), secrets=(SECRET,))

    assert end.message == "\ufffd********"


def test_a_secret_appears_in_no_field() -> None:
    translator = Translator("update", ("", SECRET))
    events = [
        ours
        for each in (
            raw("playbook_on_play_start", name=f"Play {SECRET}"),
            raw("playbook_on_task_start", **OF_TASK | {"name": f"Task {SECRET}"}),
            ended("runner_item_on_ok", f"ok: {SECRET}", res={"item": {"password": SECRET}}),
            raw("runner_retry", f"retrying {SECRET}", host="web01"),
            ended("runner_on_failed", f"fatal: [web01]: {SECRET}", res={"msg": f"no {SECRET}"}),
            raw("printed", f"[WARNING]: {SECRET} is weak"),
        )
        for ours in translator.translate(each)
    ]
    list(translator.translate(raw("printed", f"said {SECRET}")))

    assert len(events) == 5
    assert SECRET not in str(events)
    assert SECRET not in translator.last_output
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


def test_a_flood_is_cut_and_says_so() -> None:
    flood = "x" * (TEXT_LIMIT + 5)
    end = one(ended("runner_on_failed", flood, res={"msg": "m" * MESSAGE_LIMIT + " is the cause"}))

    assert end.text == f"{'x' * TEXT_LIMIT}\n[5 more characters left out]"
    cut = one(ended("runner_on_ok", flood, left_out=10**9))
    assert cut.text.endswith("\n[1000000005 more characters left out]")
    assert end.message is not None
    assert len(end.message) <= MESSAGE_LIMIT
    assert end.message.endswith("m is the cause")


@pytest.mark.parametrize("secret", ["it's", "two  blanks", f"long {'x' * 90} y"])
def test_a_secret_is_hidden_in_a_command_before_that_is_quoted_and_cut(secret: str) -> None:
    for command in (["tool", "--password", secret, "z" * 60], f"tool --password {secret}"):
        details = {"msg": "non-zero return code", "rc": 1, "cmd": command}
        message = one(ended("runner_on_failed", res=details), secrets=(secret,)).message
        assert message is not None
        assert not any(part in message for part in ("it", "blanks", "xx"))


def test_a_secret_at_the_cut_is_hidden_first() -> None:
    """Half of it would be shown, were it looked for after the cut."""
    end = one(ended("runner_on_failed", res={"msg": SECRET * MESSAGE_LIMIT}), secrets=(SECRET,))

    assert end.message is not None
    assert set(end.message) == set("* …")


def test_tries_without_end_are_kept_up_to_a_bound() -> None:
    retry = raw("runner_retry", "x" * (TEXT_LIMIT // 4), host="web01")
    end = one(*[retry] * 100, ended("runner_on_ok", "ok: [web01]"))

    assert len(end.text) <= 2 * TEXT_LIMIT


def test_a_warning_is_one_line_without_its_sign() -> None:
    (warned,) = all_of(raw("printed", "[WARNING]: this is\n  long\n"), raw("printed", ""))

    assert isinstance(warned, Warned)
    assert warned.message == "this is long"


def test_a_host_on_which_ansible_makes_its_folder_is_no_warning() -> None:
    made = (
        "Module remote_tmp /root/.ansible/tmp did not exist and was created with a mode of 0700,"
        " this may cause issues when running as another user. To avoid this, create the remote_tmp"
        " dir with the correct permissions manually"
    )
    for message, warnings in ((made, 0), (f"{made}: no", 1), (f"no: {made}", 1)):
        said = raw("printed", f"[WARNING]: {message}\n", host="web01")
        assert len(all_of(said)) == warnings, message


def test_of_a_warning_and_an_error_only_the_sign_is_left_out() -> None:
    """Not what looks like one in the middle of it."""
    warned, failed = all_of(
        raw("printed", "[WARNING]: hosts[WARNING]: no such"),
        raw(
            "printed", "[ERROR]: YAML parsing failed: While scanning [x]: bad\nOrigin: /p/x.yml:1:2"
        ),
    )

    assert isinstance(warned, Warned)
    assert isinstance(failed, Warned)
    assert warned.message == "hosts[WARNING]: no such"
    assert failed.message == "YAML parsing failed: While scanning [x]: bad (/p/x.yml:1:2)"
