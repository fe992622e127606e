"""Events as objects of `--output jsonl`: their type, their moment and their fields."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from diaken_cli.events import Event, HostFinished, RunFinished
from diaken_cli.render.messages import Printed
from diaken_cli.render.output import print_json_line, utc
from diaken_cli.render.runs import host_as_json


class JsonLines:
    """Writes each event at once; the last one waits for the record of the run."""

    printed = Printed()  # nothing for people

    def show(self, event: Event) -> None:
        """Write an event."""
        if not isinstance(event, RunFinished):
            print_json_line(event_as_json(event))

    def close(self, *, died: bool) -> None:
        """Do nothing: each event was written at once."""


def event_as_json(event: Event) -> dict[str, Any]:
    """One object of the stream; the result of a host is as in the JSON of a run."""
    head = {"type": event.type, "at": utc(event.at)}
    if isinstance(event, HostFinished):
        return head | host_as_json(event.result) | {"canceled": event.canceled}
    return head | {
        field.name: getattr(event, field.name) for field in fields(event) if field.name != "at"
    }


def finished_as_json(document: dict[str, Any]) -> dict[str, Any]:
    """The last object of the stream: the run's end, with its whole record as `result`."""
    return {
        "type": RunFinished.type,
        "at": document["finished_at"] or utc(datetime.now(UTC)),
        "run": document["id"],
        "status": document["status"],
        "result": document,
    }
