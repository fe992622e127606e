"""Events as the callback plugin gives them, and what becomes of them."""

from typing import Any

from diaken_cli.events import Event, TaskFinished
from diaken_cli.services.ansible.translate import (
    Translator,
)

SECRET = "hunter2!"
OF_TASK = {"task": "Install", "task_uuid": "t1", "action": "apt"}


def raw(event: str, text: str = "", **data: Any) -> dict[str, Any]:
    """An event, as far as it is looked at."""
    return {"event": event, "host": None, "text": text, "left_out": 0, **data}


def ended(event: str, text: str = "", host: str = "web01", **data: Any) -> dict[str, Any]:
    """The end of the task `t1` on a host; `res` is what was taken of Ansible's result."""
    res = data.setdefault("res", {})
    whole = {"duration": 0.5, "delegated_to": None, "changed": res.get("changed", False)}
    return raw(event, text, host=host, **(OF_TASK | whole | data))


def all_of(*events: dict[str, Any], secrets: tuple[str, ...] = ()) -> list[Event]:
    translator = Translator("update", secrets)
    return [ours for event in events for ours in translator.translate(event)]


def one(*events: dict[str, Any], secrets: tuple[str, ...] = ()) -> TaskFinished:
    """The last of them, which is the end of a task."""
    last = all_of(*events, secrets=secrets)[-1]
    assert isinstance(last, TaskFinished)
    return last
