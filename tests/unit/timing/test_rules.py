"""Rules: their one form, and what is refused."""

import time

import pytest

from diaken_cli import timing
from tests.unit.timing.moments import moment, utc


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("daily", "FREQ=DAILY"),
        ("Weekly", "FREQ=WEEKLY"),
        ("monthly", "FREQ=MONTHLY"),
        ("RRULE:FREQ=DAILY;INTERVAL=1", "FREQ=DAILY"),
        ("byday=th,mo;freq=weekly", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("FREQ=MONTHLY;BYDAY=2TU,-1FR;WKST=MO", "FREQ=MONTHLY;BYDAY=2TU,-1FR"),
        ("FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;UNTIL=20260301", "FREQ=DAILY;UNTIL=20260301T225959Z"),
        ("FREQ=DAILY;UNTIL=20260301T000000", "FREQ=DAILY;UNTIL=20260228T230000Z"),
        ("FREQ=DAILY;UNTIL=20260301T000000Z", "FREQ=DAILY;UNTIL=20260301T000000Z"),
        ("FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"),
        ("FREQ=MINUTELY;INTERVAL=15", "FREQ=MINUTELY;INTERVAL=15"),
    ],
)
def test_rule_has_one_form(text: str, canonical: str) -> None:
    start = moment("2026-02-01 03:00", "Europe/Lisbon" if "Lisbon" in text else "Europe/Berlin")
    assert timing.parse_rule(text, start) == canonical
    assert timing.parse_rule(canonical, start) == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hourly", "daily, weekly, monthly, cron's five fields, or an RRULE"),
        ("", "daily, weekly, monthly, cron's five fields, or an RRULE"),
        ("INTERVAL=2", "daily, weekly, monthly, cron's five fields, or an RRULE"),
        ("FREQ=DAILY;", "RRULE"),
        ("FREQ=FORTNIGHTLY", "must be one of MINUTELY"),
        ("FREQ=SECONDLY;INTERVAL=60", "finer than a minute"),
        ("FREQ=MINUTELY;BYSECOND=0,30", "finer than a minute"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0: must be a whole number, 1 to"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1: must be a whole number"),
        ("FREQ=DAILY;COUNT=1000000", "COUNT=1000000: must be a whole number, 1 to 10000"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "can't both be given"),
        ("FREQ=DAILY;UNTIL=20260131", "ends before its first run"),
        ("FREQ=DAILY;UNTIL=20261399", "UNTIL=20261399 is not a valid time"),
        ("FREQ=DAILY;UNTIL=tomorrow", "use the form 20261231 or"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24: must be whole numbers, 0 to 23"),
        ("FREQ=DAILY;BYHOUR=٣", "BYHOUR=٣: must be whole numbers"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "1 to 31, or from the end"),
        ("FREQ=WEEKLY;BYDAY=XX", "must be MO, TU"),
        ("FREQ=MONTHLY;BYDAY=0MO", "must be MO, TU"),
        ("FREQ=WEEKLY;BYDAY=1MO", "a numbered weekday needs FREQ=MONTHLY"),
        ("FREQ=DAILY;WKST=1", "WKST=1: must be one of MO"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS needs another BY"),
        ("FREQ=HOURLY;BYMINUTE=1,2;BYSETPOS=1", "BYSETPOS has no meaning with FREQ=HOURLY"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO has no meaning with FREQ=MONTHLY"),
        ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "BYWEEKNO=53: a week that can lie in two years"),
        ("FREQ=YEARLY;BYWEEKNO=1,52", "the last one of a year is BYWEEKNO=-1"),
        ("FREQ=DAILY;EASTER=1", "EASTER is not a part of a rule"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is not a part of a rule"),
        ("FREQ=HOURLY;BYHOUR=3", "have hours as well: use 'FREQ=DAILY;BYHOUR=3;BYMINUTE=0'"),
        ("FREQ=HOURLY;INTERVAL=8;BYDAY=MO", "'FREQ=DAILY;BYDAY=MO;BYHOUR=3,11,19;BYMINUTE=0'"),
        (
            "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10;COUNT=8",
            "'FREQ=DAILY;COUNT=8;BYHOUR=9,10;BYMINUTE=0,20,40'",
        ),
        (
            "FREQ=HOURLY;INTERVAL=5;BYDAY=MO",
            "have days as well: use 'FREQ=DAILY;BYDAY=MO;BYHOUR=3,8,13,18,23;BYMINUTE=0', which",
        ),
        ("FREQ=HOURLY;INTERVAL=7;BYHOUR=9", "use 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0', which"),
        ("FREQ=HOURLY;INTERVAL=8;BYHOUR=4", "use 'FREQ=DAILY;BYHOUR=4;BYMINUTE=0'"),
        (
            "FREQ=MINUTELY;INTERVAL=90;BYHOUR=6,7,9,10",
            "a task for each of 'FREQ=DAILY;BYHOUR=6,9;BYMINUTE=0' and 'FREQ=DAILY;BYHOUR=7,10;BYM",
        ),
        ("FREQ=MINUTELY;BYHOUR=9;BYMINUTE=0,30", "'FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30'"),
        ("FREQ=HOURLY;INTERVAL=12;BYMONTHDAY=1,15", "BYMONTHDAY=1,15;BYHOUR=3,15;BYMINUTE=0'"),
        ("FREQ=HOURLY;BYHOUR=9;UNTIL=20270101", "'FREQ=DAILY;UNTIL=20270101T"),
        ("FREQ=MINUTELY;INTERVAL=7;BYDAY=MO", "use FREQ=DAILY"),
        ("FREQ=HOURLY;BYYEARDAY=100;BYHOUR=1", "'FREQ=YEARLY;BYYEARDAY=100;BYHOUR=1;BYMINUTE=0'"),
        ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "one rule on one line"),
        ("DTSTART=20260101;FREQ=DAILY", "one rule on one line"),
        ("FREQ=DAILY\nEXDATE:20260101T000000", "one rule on one line"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        timing.parse_rule(text, moment("2026-02-01 03:00"))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYWEEKNO=2;BYMONTH=12",
        "FREQ=YEARLY;INTERVAL=100000;BYMONTH=1;BYMONTHDAY=1",
        "FREQ=MONTHLY;INTERVAL=100000;BYMONTHDAY=-31",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=DAILY;BYHOUR=3;BYSETPOS=2",
    ],
)
def test_rule_that_never_comes_is_refused_soon(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="never runs"):
        timing.parse_rule(text, moment("2026-02-01 03:00", "Asia/Kolkata"))
    assert time.process_time() - began < 3


def test_end_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(ValueError, match="UNTIL=99991231T235959 is not a valid time"):
        timing.parse_rule(
            "FREQ=DAILY;UNTIL=99991231T235959", moment("2026-02-01 03:00", "America/Bogota")
        )


def test_rule_that_comes_every_eighth_year_is_not_refused() -> None:
    start = moment("2096-03-01 03:00", "UTC")
    rule = timing.parse_rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", start)
    found = timing.next_instant(rule, start, start.instant)
    assert found == utc("2104-02-29 03:00")
