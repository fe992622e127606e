"""Events as ansible-runner gives them, and what becomes of them."""

from typing import Any

from diaken_cli.events import Event, TaskFinished
from diaken_cli.services.ansible.translate import (
    Translator,
)

SECRET = "hunter2!"


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
