"""The months that a rule skips are named, and a rule that skips none takes their last day."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from diaken_cli.timing import Moment, skipped_months, upcoming


def moment(day: int) -> Moment:
    wall = datetime(2031, 1, day, 3, 0)  # noqa: DTZ001  local to the zone
    return Moment(wall, "UTC", 0, wall.replace(tzinfo=ZoneInfo("UTC")))


@pytest.mark.parametrize(
    ("rule", "day", "months"),
    [
        ("FREQ=MONTHLY", 29, (2,)),
        ("FREQ=MONTHLY", 31, (2, 4, 6, 9, 11)),
        ("FREQ=MONTHLY;BYMONTHDAY=30", 1, (2,)),
        ("FREQ=MONTHLY;BYMONTH=2,3,4", 31, (2, 4)),
        ("FREQ=MONTHLY", 28, None),
        ("FREQ=MONTHLY;BYMONTHDAY=1,31", 31, None),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", 31, None),
        ("FREQ=MONTHLY;BYDAY=5MO", 31, None),
        ("FREQ=MONTHLY;BYMONTH=1", 31, None),
        ("FREQ=WEEKLY", 31, None),
    ],
)
def test_months_that_are_skipped(rule: str, day: int, months: tuple[int, ...] | None) -> None:
    found = skipped_months(rule, moment(day))
    assert (found.months if found else None) == months


@pytest.mark.parametrize("day", [29, 30, 31])
def test_the_rule_instead_comes_each_month(day: int) -> None:
    start = moment(day)
    found = skipped_months("FREQ=MONTHLY", start)
    assert found is not None
    before = start.instant - timedelta(minutes=1)
    comes = upcoming(found.instead, start.wall, "UTC", 0, before, 60)
    assert [each.astimezone(UTC).month for each in comes] == [*range(1, 13)] * 5
    assert {each.day for each in comes if each.month == 1} == {day}
    assert skipped_months(found.instead, start) is None
