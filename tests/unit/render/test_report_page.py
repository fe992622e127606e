"""The page of a run: whatever its fields hold is text, for the template and for a browser."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from diaken_cli.render.report import render_page
from diaken_cli.store.run_records import OutputLine
from diaken_cli.types import TaskResult

BEGAN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
AT = BEGAN.isoformat()
HOSTILE = (
    "</pre></title></style></svg><script>1</script><img src=\"x\" onerror='1'>&lt;"
    " {{ 7 * 7 }} {% include 'page.css' %} {# x #} \x1b[31m\u202e"
)
SHOWN = HOSTILE.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e")
FIXED = ("started_at", "finished_at", "worked_until", "kind", "code")  # no text that is shown

RUN: dict[str, Any] = {
    "id": 12,
    "kind": "playbook",
    "target_type": "group",
    "target": "web",
    "environment": "PROD",
    "playbook": "update",
    "status": "partial",
    "trigger": "manual",
    "task": "Patch",
    "user": "root",
    "error": {"code": "x", "message": "why", "hint": None},
    "leftovers": [{"kind": "vm", "name": "web09"}],
    "started_at": AT,
    "finished_at": AT,
    "duration_seconds": 10.0,
    "without_snapshot": 1,
    "totals": {"hosts": 2, "failed": 2},
    "steps": [
        {
            "name": "playbook",
            "status": "failed",
            "started_at": AT,
            "finished_at": AT,
            "worked_until": AT,
            "detail": "run update",
        }
    ],
    "hosts": [
        {
            "host": name,
            "status": "failed",
            "ok": 1,
            "changed": 1,
            "failed": 1,
            "unreachable": 0,
            "skipped": 0,
            "ignored": 1,
            "failed_task": "Task",
            "message": "message",
            "snapshot": {"name": "Before", "status": "failed", "error": error},
        }
        for name, error in (("web01", "no room"), ("web03", None))
    ],
    "other_failures": None,
}
OUTPUT = {"host": "web01", "play": "Play", "task": "Task", "item": None, "text": "fatal: it"}
LOOP = OUTPUT | {"host": "web02", "item": "item"}
VM = {"name": "web09", "cluster": "Compute"}


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and all text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(run: dict[str, Any], title: str, outputs: list[Any], vm: dict[str, str]) -> Elements:
    lines = [
        OutputLine(
            playbook="update",
            result=TaskResult.FAILED,
            at=BEGAN,
            seconds=0.5,
            message=None,
            **output,
        )
        for output in outputs
    ]
    return Elements(render_page(run, title, lines, BEGAN, vm))


def paths_of_texts(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each text in a document."""
    if isinstance(value, str) and path[-1] not in FIXED:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else items:
        yield from paths_of_texts(inner, *path, key)


DOCUMENT: dict[str, Any] = {
    "run": RUN,
    "title": "update on web",
    "outputs": [OUTPUT, LOOP],
    "vm": VM,
}
PATHS = list(paths_of_texts(DOCUMENT))


PLAIN = rendered(**DOCUMENT)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_hostile_text_in_a_field_is_shown_as_text(path: tuple[Any, ...]) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = HOSTILE
    page = rendered(**document)
    assert "\x1b" not in page.text
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    # By its name and its status a host may stand elsewhere, with or without bars and results.
    if path[-1] in ("host", "status"):
        assert set(page.elements) == set(PLAIN.elements)
    else:
        assert page.elements == PLAIN.elements
    if path != ("run", "hosts", 0, "snapshot", "status"):  # its error says more
        assert " ".join(SHOWN.split()) in " ".join(page.text.split())


def test_all_fields_are_among_these() -> None:
    assert len(PATHS) > 25
    assert ("run", "hosts", 0, "snapshot", "error") in PATHS
