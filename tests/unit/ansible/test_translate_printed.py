"""What a playbook prints on purpose is shown: debug messages and diffs, without a secret."""

from typing import Any

import pytest

from diaken_cli.events import TaskFinished
from diaken_cli.services.ansible.translate import (
    TEXT_LIMIT,
)
from tests.unit.ansible.events import SECRET, all_of, ended, one, raw


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
            "name: web01\nips:\n  a\n  b\nnone: null\ndeep:\n  x: true",
        ),
        (
            debug(**{"out.stdout_lines": ["total 772", "", "drwxr-xr-x 2 root root"]}),
            "out.stdout_lines:\n  total 772\n\n  drwxr-xr-x 2 root root",
        ),
        (
            debug(out={"stdout_lines": ["alone"], "rc": [0, 1]}),
            "out:\n  stdout_lines: alone\n  rc: 0, 1",
        ),
        (
            debug(out={"stdout": "one\ntwo", "stdout_lines": ["one", "two"], "rc": 0}),
            "out:\n  stdout:\n    one\n    two\n  rc: 0",
        ),
        (debug(hosts=[{"ips": ["a", "b"]}]), "hosts:\n  - ips:\n      a\n      b"),
        (debug(texts=["one\ntwo", "three"]), "texts:\n  - one\n    two\n  - three"),
        (debug(out={"cmd": ["ls", "/no such", 1]}), "out:\n  cmd: ls '/no such' 1"),
        (debug(out={"cmd": ["sh", "-c", "a\nb"]}), "out:\n  cmd:\n    sh -c 'a\n    b'"),
        (debug(msg={"disks": [{"a": 1, "b": 2}]}), "disks:\n  - a: 1\n    b: 2"),
        (debug(motd="one\ntwo"), "motd:\n  one\n  two"),
        (debug(user="ada", item="x", ansible_loop_var="item"), "user: ada"),
        (debug(item="x", ansible_loop_var="item"), "item: x"),
        (debug(msg="All assertions passed"), None),
        (debug(msg="no problems found"), "no problems found"),
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
