"""What a rule does that was most likely not meant is found, and the rule that was meant, too."""

import calendar
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from diaken_cli.timing import Advice, Moment, advise, normalize_rule, upcoming


def moment(day: int) -> Moment:
    wall = datetime(2031, 1, day, 3, 0)  # noqa: DTZ001  local to the zone
    return Moment(wall, "UTC", 0, wall.replace(tzinfo=ZoneInfo("UTC")))


def advice(rule: str, day: int, effect: str) -> Advice | None:
    """The advice with that in its effect, of a rule from a day of January on."""
    found = [item for item in advise(normalize_rule(rule), moment(day)) if effect in item.effect]
    return found[0] if found else None


def suggested(item: Advice) -> str:
    (rule,) = re.findall(r"--every '(.*?)'", item.suggestion)
    return str(rule)


@pytest.mark.parametrize(
    ("rule", "day", "months"),
    [
        ("FREQ=MONTHLY", 29, (2,)),
        ("FREQ=MONTHLY", 31, (2, 4, 6, 9, 11)),
        ("FREQ=MONTHLY;BYMONTHDAY=30", 1, (2,)),
        ("FREQ=MONTHLY;BYMONTH=2,3,4", 31, (2, 4)),
        ("FREQ=MONTHLY", 28, None),
        ("FREQ=MONTHLY;BYMONTHDAY=1,31", 31, (2, 4, 6, 9, 11)),
        ("FREQ=MONTHLY;BYMONTHDAY=15,30", 1, (2,)),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31", 1, None),
        ("0 3 */2 * *", 1, None),  # that the last one is skipped is not what it is about
        ("FREQ=MONTHLY;BYMONTHDAY=-1", 31, None),
        ("FREQ=MONTHLY;BYDAY=5MO", 31, None),
        ("FREQ=MONTHLY;BYMONTH=1", 31, None),
        ("FREQ=WEEKLY", 31, None),
        ("FREQ=YEARLY", 31, None),  # of January
        ("FREQ=YEARLY;BYMONTH=2", 29, (2,)),
        ("FREQ=YEARLY;BYMONTH=1,4;BYMONTHDAY=31", 1, (4,)),
        ("0 3 31 * *", 1, (2, 4, 6, 9, 11)),
    ],
)
def test_months_that_are_skipped(rule: str, day: int, months: tuple[int, ...] | None) -> None:
    found = advice(rule, day, "is skipped in the months")
    if months is None:
        assert found is None
    else:
        assert found is not None
        listed = found.effect.partition(": ")[2].removesuffix(" (but for leap years)")
        assert listed.split(", ") == [calendar.month_name[month] for month in months]


@pytest.mark.parametrize("day", [29, 30, 31])
def test_the_rule_instead_comes_each_month(day: int) -> None:
    start = moment(day)
    found = advice("FREQ=MONTHLY", day, "is skipped in the months")
    assert found is not None
    comes = upcoming(suggested(found), start, start.instant - timedelta(minutes=1), 60)
    assert [instant.astimezone(UTC).month for instant in comes] == [*range(1, 13)] * 5
    assert {instant.day for instant in comes if instant.month == 1} == {day}
    assert advice(suggested(found), day, "is skipped in the months") is None


@pytest.mark.parametrize(
    ("rule", "instead"),
    [
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        ("0 3 31 * *", "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=3;BYMINUTE=0"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,31", "FREQ=MONTHLY;BYMONTHDAY=-1,1"),
        (
            "FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=29",
            "FREQ=MONTHLY;BYMONTH=1,2;BYMONTHDAY=28,29;BYSETPOS=-1",
        ),
        (
            "0 3,15 30 * *",
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYHOUR=3,15;BYMINUTE=0;BYSETPOS=-2,-1",
        ),
    ],
)
def test_the_rule_instead_keeps_the_rest(rule: str, instead: str) -> None:
    found = advice(rule, 1, "is skipped in the months")
    assert found is not None
    assert normalize_rule(suggested(found)) == suggested(found) == instead


@pytest.mark.parametrize(
    ("rule", "unit", "instead"),
    [
        ("FREQ=YEARLY;BYMONTHDAY=30", "month", "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=30"),
        ("FREQ=YEARLY;BYDAY=MO", "week", "FREQ=YEARLY;BYDAY=1MO"),
        ("FREQ=YEARLY;BYDAY=1MO", None, None),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=MO", None, None),
        ("FREQ=YEARLY", None, None),
        ("FREQ=MONTHLY;BYMONTHDAY=30", None, None),
        ("FREQ=MONTHLY;BYDAY=SU", "week", "FREQ=MONTHLY;BYDAY=1SU"),
        ("FREQ=MONTHLY;BYDAY=-1SU", None, None),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1", None, None),
    ],
)
def test_what_comes_more_often_than_its_name(
    rule: str, unit: str | None, instead: str | None
) -> None:
    found = advice(rule, 1, "though its rule is FREQ=")
    if found is None:
        assert unit is None
        return
    assert f"it runs every {unit}," in found.effect
    assert suggested(found) == instead
    start = moment(1)
    comes = upcoming(suggested(found), start, start.instant, 4)
    months = [instant.year * 12 + instant.month for instant in comes]
    step = 12 if rule.startswith("FREQ=YEARLY") else 1
    assert [month - months[0] for month in months] == [0, step, 2 * step, 3 * step]
