"""Lists of scheduled tasks: at 80 columns they say when and how often, and the zone once."""

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from diaken_cli.render.formatting import Shape
from diaken_cli.render.schedules import (
    TableLayout,
    agenda_table,
    task_as_json,
    task_table,
    tasks_total,
    time_until,
)
from diaken_cli.render.tables import table
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import ScheduleStatus, TargetType
from tests.unit.schedules.test_next_moment import task
from tests.unit.timing.moments import moment, utc

NOW = utc("2026-01-31 12:00")
OF_A_GROUP = replace(task("FREQ=WEEKLY"), name="Patch web", target_type=TargetType.GROUP)
WEEKLY = replace(OF_A_GROUP, target="web")
MADRID = replace(WEEKLY, id=2, moment=moment("2026-02-01 04:00", "Europe/Madrid"))
ONCE = replace(task(None, number=3), last_run=7)


def drawn(view: TableLayout, shapes: Sequence[Shape], columns: int) -> list[str]:
    file = io.StringIO()
    found = table(shapes, view.columns, whole=view.whole, spare=view.spare)
    Console(file=file, width=columns).print(found, crop=False)
    return file.getvalue().splitlines()


def listed(*tasks: TaskRecord, columns: int) -> list[str]:
    return drawn(task_table(NOW, tasks), [task_as_json(each) for each in tasks], columns)


def test_at_80_columns_a_list_says_how_often_and_its_one_zone_in_the_heading() -> None:
    assert listed(WEEKLY, ONCE, columns=80) == [
        "ID  NAME       TARGET      PLAYBOOK  NEXT (UTC)            EVERY",
        "1   Patch web  group web   update    Sun 2026-02-01 03:00  weekly, on Sunday,",
        "                                                           03:00",
        "3   task 3     host web01  update    Sun 2026-02-01 03:00  –",
    ]
    wide = listed(WEEKLY, ONCE, columns=200)
    assert wide[0].split()[4:] == ["STATUS", "NEXT", "(UTC)", "IN", "EVERY", "LAST", "RUN"]
    assert wide[1].endswith(
        "pending  Sun 2026-02-01 03:00  15 h 0 min  weekly, on Sunday, 03:00  –"
    )


def test_a_playbook_hangs_over_only_where_no_sentence_can_be_folded() -> None:
    facts = replace(WEEKLY, name="Nightly facts", target="web-3", playbook="basic_info")
    assert listed(replace(facts, target_type=TargetType.HOST), columns=80) == [
        "ID  NAME           TARGET      PLAYBOOK    NEXT (UTC)            EVERY",
        "1   Nightly facts  host web-3  basic_info  Sun 2026-02-01 03:00  weekly, on",
        "                                                                 Sunday, 03:00",
    ]


def test_a_status_that_is_another_and_zones_that_differ_are_shown_at_80_columns() -> None:
    running = replace(MADRID, status=ScheduleStatus.RUNNING)
    assert listed(WEEKLY, MADRID, columns=80) == [
        "ID  NAME       TARGET     PLAYBOOK  NEXT                   EVERY",
        "1   Patch web  group web  update    Sun 2026-02-01 03:00   weekly, on Sunday,",
        "                                    UTC                    03:00",
        "2   Patch web  group web  update    Sun 2026-02-01 04:00   weekly, on Sunday,",
        "                                    Europe/Madrid          04:00",
    ]
    lines = listed(WEEKLY, running, columns=80)
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[4:] == ["STATUS", "NEXT", "EVERY"]
    named = replace(MADRID, name="Patch all web servers of TEST", playbook="basic_info")
    for narrow in (lines, listed(WEEKLY, named, columns=80)):
        assert any("Sun 2026-02-01 04:00" in line for line in narrow), "a moment is one word"
    wide = listed(WEEKLY, running, columns=200)
    assert "Sun 2026-02-01 04:00 Europe/Madrid  +0100   15 h 0 min  weekly" in wide[2]


def test_tasks_that_come_once_have_no_column_for_how_often() -> None:
    assert "EVERY" not in listed(ONCE, columns=200)[0]


def test_at_80_columns_what_comes_next_says_how_often() -> None:
    shape = {"at": MADRID.due_at, "task": MADRID.name, "id": 2, "timezone": "Europe/Madrid"}
    shapes = [shape | {"target": "web", "playbook": "update"}]
    lines = drawn(agenda_table(NOW, [MADRID]), shapes, 80)
    assert lines == [
        "AT (Europe/Madrid)    TASK       TARGET  PLAYBOOK  EVERY",
        "Sun 2026-02-01 04:00  Patch web  web     update    weekly, on Sunday, 04:00",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "due"), (0.2, "1 s"), (20, "20 s"), (119, "119 s"), (119.5, "2 min")),
        *((121, "3 min"), (3600, "1 h 0 min"), (90000, "1 d 1 h")),
    ],
)
def test_a_moment_that_is_near_is_told_in_seconds(seconds: float, said: str) -> None:
    assert time_until(NOW + timedelta(seconds=seconds), NOW) == said


def test_a_list_tells_of_the_tasks_that_have_ended() -> None:
    ended = replace(ONCE, status=ScheduleStatus.COMPLETED)
    assert tasks_total([WEEKLY], shown=1) == "1 task"
    assert tasks_total([WEEKLY, MADRID, ended], shown=2) == "2 tasks; 1 ended not shown (--all)"
    assert tasks_total([WEEKLY, MADRID, ended], shown=3) == "3 tasks, 1 ended"
