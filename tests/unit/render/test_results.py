"""Results of Ansible's as people read them; what can't be read stays as Ansible printed it."""

import pytest

from diaken_cli.render.messages import readable_result

SHELL = """\
fatal: [web01]: FAILED! => {"changed": true, "cmd": "x", "rc": 3, "stderr": "", \
"stderr_lines": [], "stdout": "one\\ntwo", "stdout_lines": ["one", "two"]}
...ignoring"""

SHELL_READ = """\
fatal: [web01]: FAILED!
    changed: true
    cmd: x
    rc: 3
    stderr:
    stdout:
      one
      two
...ignoring"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("changed: [web01]", "changed: [web01]"),
        (
            SHELL,
            SHELL_READ,
        ),
        (
            'ok: [web01] => {\n    "msg": {\n        "a": [1, 2]\n    }\n}',
            "ok: [web01]\n    msg:\n      a: 1, 2",
        ),
        (
            '--- before\n+++ after\nfailed: [web01] (item=1) => {"item": 1, "msg": "no"}',
            "--- before\n+++ after\nfailed: [web01] (item=1)\n    item: 1\n    msg: no",
        ),
        (
            'fatal: [web01]: FAILED! => {"cmd": ["ls", "/none xist"], "rc": 2}',
            "fatal: [web01]: FAILED!\n    cmd: ls '/none xist'\n    rc: 2",
        ),
        (
            'ok: [web01] => {"out.stdout_lines": ["total 772", "drwxr-xr-x"]}',
            "ok: [web01]\n    out.stdout_lines:\n      total 772\n      drwxr-xr-x",
        ),
        ("changed: [web01] => (item=0)", "changed: [web01] => (item=0)"),
    ],
)
def test_a_result_is_lines(text: str, shown: str) -> None:
    assert readable_result(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        'fatal: [web01]: FAILED! => {"msg": "cut he\n[999 more characters left out]',
        f'ok: [web01] => {{"a": {"[" * 100_000}',
        'said: [web01] => {"msg": "by somebody else"}',
    ],
)
def test_what_cannot_be_read_stays(text: str) -> None:
    assert readable_result(text) == text
