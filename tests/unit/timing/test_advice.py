"""Rules that most likely mean something else: what they do is said, and what to write instead."""

import re
from datetime import UTC, datetime

import pytest

from diaken_cli import timing
from diaken_cli.timing import Advice, Moment

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)  # a Sunday
ZONE = "Europe/Madrid"


def found(every: str, at: str | None, zone: str = ZONE) -> list[Advice]:
    """What is said of a rule and a moment as they are typed."""
    at_moment = None if at is None else timing.parse_moment(at, zone, NOW)
    if timing.is_cron(every):
        since = NOW if at_moment is None else at_moment.instant
        start = timing.first_moment_of_cron(every, zone, since)
    else:
        assert at_moment is not None
        start = at_moment
    rule = timing.parse_rule(every, start)
    return [
        *timing.advise(rule, start),
        *timing.advise_as_typed(every, at, rule, at_moment),
    ]


@pytest.mark.parametrize(
    ("every", "at", "does", "instead"),
    [
        ("0 3 * * sun", "05:00", "--at only the start", "BYDAY=SU;BYHOUR=5;BYMINUTE=0"),
        ("@daily", "03:00", "its times, 00:00, and", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0"),
        ("0 1-5 * * *", "23:00", "01:00, 02:00, 03:00, …,", "FREQ=DAILY;BYHOUR=23;BYMINUTE=0"),
        ("FREQ=DAILY;BYHOUR=5", "03:00", "its times, 05:00, and", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0"),
        ("monthly", "sun 03:00", "day 6 of the month", "FREQ=MONTHLY;BYDAY=1SU"),
        ("monthly", "mon 03:00", "not always a Monday", "FREQ=MONTHLY;BYDAY=-1MO"),
        ("FREQ=YEARLY", "sun 03:00", "day 6 of the month", "FREQ=YEARLY;BYMONTH=12;BYDAY=1SU"),
        ("FREQ=WEEKLY;BYDAY=MO", "sun 03:00", "that Sunday is not one", "FREQ=WEEKLY;BYDAY=SU"),
        ("FREQ=MONTHLY;BYMONTHDAY=9", "sun 03:00", "that Sunday is not one", None),
        ("FREQ=MONTHLY;BYDAY=5MO", "03:00", "a fifth Monday", "FREQ=MONTHLY;BYDAY=-1MO"),
        ("FREQ=MONTHLY;BYDAY=1TU,5MO", "03:00", "a fifth Monday", "FREQ=MONTHLY;BYDAY=-1MO,1TU"),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=5",
            "03:00",
            "a fifth Friday",
            "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1",
        ),
        ("FREQ=YEARLY;BYYEARDAY=366", "03:00", "only in leap years", "FREQ=YEARLY;BYYEARDAY=-1"),
        (
            "FREQ=YEARLY;BYWEEKNO=20",
            "03:00",
            "every day of those",
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        ),
        ("FREQ=DAILY;COUNT=1", "03:00", "it runs only once: COUNT=1", None),
        ("0 3 * * sun", None, None, None),
        ("FREQ=WEEKLY;UNTIL=20261201", "03:00", "UNTIL is before its second run", None),
        ("FREQ=DAILY;UNTIL=20261231T000000", "03:00", "not run on 2026-12-31", "UNTIL=20261231"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=MO", "03:00", "day 1 of the month is a", "BYDAY=1MO"),
        (
            "FREQ=DAILY;INTERVAL=2;BYDAY=MO,WE",
            "03:00",
            "every 2nd day is one",
            "FREQ=DAILY;BYDAY=MO,WE",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU",
            "sun 03:00",
            "begin on Monday",
            "BYDAY=TU,SU;WKST=SU",
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,FR;BYHOUR=3,15;BYMINUTE=0;BYSETPOS=-1",
            "03:00",
            "every day has 2 of them",
            "BYDAY=MO,FR;BYHOUR=3,15;BYMINUTE=0;BYSETPOS=-2,-1",
        ),
        ("FREQ=HOURLY;INTERVAL=24", "03:00", "when the clocks change", "FREQ=DAILY"),
        ("FREQ=MINUTELY;INTERVAL=10080", "03:00", "elapsed time", "FREQ=DAILY;INTERVAL=7"),
        ("* 3 * * *", None, "every minute of those hours", "0 3 * * *"),
        ("*/45 * * * *", None, "starts over every hour", "FREQ=MINUTELY;INTERVAL=45"),
        ("0 */5 * * *", None, "starts over every day", "FREQ=HOURLY;INTERVAL=5"),
        ("0 3 */2 * *", None, "starts over on the 1st", "FREQ=DAILY;INTERVAL=2"),
    ],
)
def test_what_means_something_else(
    every: str, at: str | None, does: str | None, instead: str | None
) -> None:
    said = found(every, at)
    if does is None:
        assert said == []
        return
    one = said[-1]  # before it can stand that it skips months
    assert does in one.effect
    assert all("is skipped in the months" in other.effect for other in said[:-1])
    if instead is not None:
        assert f"{instead}'" in one.suggestion
        (rule,) = re.findall(r"--every '(.*?)'", one.suggestion)
        timing.normalize_rule(rule)


@pytest.mark.parametrize(
    ("every", "at"),
    [
        ("daily", "03:00"),
        ("daily", "sun 03:00"),
        ("weekly", "sun 03:00"),
        ("monthly", "2026-12-06 03:00"),
        ("FREQ=MONTHLY;BYDAY=2TU", "2026-12-01 03:00"),
        ("FREQ=MONTHLY;BYDAY=1SU", "sun 03:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "03:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=SU", "03:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU", "sat 03:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "thu 03:00"),
        ("FREQ=WEEKLY;INTERVAL=2", "sun 03:00"),
        ("FREQ=DAILY;UNTIL=20261231", "03:00"),
        ("FREQ=DAILY;COUNT=3", "03:00"),
        ("FREQ=HOURLY;INTERVAL=6", "03:00"),
        ("FREQ=DAILY;INTERVAL=14;BYDAY=SU", "sun 03:00"),
        ("0 3 * * sun", "2026-12-01 00:00"),
        ("0 3 * * sun", "sun 03:00"),
        ("0 3 * * sun", "+2h"),
        ("0 3 * * sun", None),
        ("*/15 * * * *", None),
        ("0 */6 * * *", "05:00"),
        ("0,45 * * * *", None),
        ("0 3 1,15 * *", None),
        ("* * * * *", None),
    ],
)
def test_what_means_what_it_says(every: str, at: str | None) -> None:
    if (every, at) == ("0 */6 * * *", "05:00"):
        assert [item.effect for item in found(every, at)] == [
            "the rule sets its times, 00:00, 06:00, 12:00, …, and --at only the start"
        ]
    else:
        assert found(every, at) == []


def test_where_clocks_do_not_change_a_day_is_24_hours() -> None:
    assert found("FREQ=HOURLY;INTERVAL=24", "03:00", "UTC") == []
    assert found("FREQ=HOURLY;INTERVAL=24", "03:00", "Asia/Kolkata") == []


def test_what_is_to_be_written_instead_is_never_warned_of_again() -> None:
    start = timing.parse_moment("sun 03:00", ZONE, NOW)
    for every in (
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO,WE,FR",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU",
        "FREQ=HOURLY;INTERVAL=48",
        "FREQ=DAILY;UNTIL=20270131T000000",
        "FREQ=MONTHLY;BYDAY=MO,FR;BYHOUR=3,15;BYMINUTE=0;BYSETPOS=1",
    ):
        (one,) = timing.advise(timing.parse_rule(every, start), start)
        (instead,) = re.findall(r"--every '(.*?)'", one.suggestion)
        assert timing.advise(timing.parse_rule(instead, start), start) == [], every


def test_a_moment_is_all_that_it_takes() -> None:
    """Also where the first one is that of a change of clocks."""
    start: Moment = timing.parse_moment("2027-03-28T02:30+01:00", ZONE, NOW)
    assert timing.advise(timing.parse_rule("daily", start), start) == []


@pytest.mark.parametrize(
    ("every", "meant"),
    [
        (
            "FREQ=MONTHLY;BYDAY=MO;BYHOUR=5,6;BYMINUTE=0;BYSETPOS=3",
            "FREQ=MONTHLY;BYDAY=MO;BYHOUR=3;BYMINUTE=0",
        ),
        ("FREQ=DAILY;INTERVAL=24;BYMONTHDAY=1;BYDAY=MO", "FREQ=MONTHLY;BYDAY=1MO"),
    ],
)
def test_what_is_advised_can_be_written(every: str, meant: str) -> None:
    """Nothing stays in it of the rule that would let it never come."""
    assert f"--every '{meant}'" in " ".join(each.suggestion for each in found(every, "03:00"))
    assert "never runs" not in repr(found(meant, "03:00"))
