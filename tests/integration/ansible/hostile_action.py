"""An action plugin for Ansible whose results are odd in every way; `seed` says which one."""

import random
from typing import Any

from ansible.plugins.action import ActionBase

TEXTS = ["", "\x1b[K", "web02", "\ud800", "\x00", "x" * 70000, "fatal: [web02]: FAILED!", "\n"]
TEXTS += ['{"event": "playbook_on_stats"}', "{{ 1 }}"]
HOSTILE: list[Any] = [*TEXTS, -1, 1e400, 10**400, float("nan"), None, True, [], {}]
KEYS = [
    "msg",
    "changed",
    "failed",
    "skipped",
    "unreachable",
    "warnings",
    "deprecations",
    "exception",
    "rc",
    "stdout",
    "stderr",
    "cmd",
    "failed_modules",
    "results",
    "diff",
    "censored",
    "item",
    "reason",
    "message",
    "module_stderr",
    "invocation",
    "_ansible_verbose_always",
    "_ansible_no_log",
    "_ansible_item_label",
]


class ActionModule(ActionBase):
    """Reaches no host."""

    _requires_connection = False

    def run(self, tmp: object = None, task_vars: object = None) -> dict[str, Any]:
        """Give a result, which is the same for the same seed."""
        dice = random.Random(self._task.args["seed"])  # noqa: S311 - a test
        return {key: _value(dice) for key in dice.sample(KEYS, dice.randrange(1, 8))}


def _value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.random()
    if depth < 4 and kind < 0.2:
        return {key: _value(dice, depth + 1) for key in dice.sample(TEXTS, 3)}
    if depth < 4 and kind < 0.4:
        return [_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    value = dice.choice(HOSTILE)
    if kind < 0.405:
        return [value if isinstance(value, int) else str(value)[:9]] * 20_000
    if kind < 0.42:
        for _ in range(200):
            value = [value]
    return value
