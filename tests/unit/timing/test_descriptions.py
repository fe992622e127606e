"""Rules in words: what people read, and that nothing is lost by it."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from diaken_cli import timing, units
from tests.unit.timing.moments import ZONES, moment
from tests.unit.timing.test_rule_properties import STARTS, WALL_RULES, parsed

TUESDAY = moment("2026-12-01 03:00", "Europe/Madrid")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("daily", "daily, 03:00 Europe/Madrid"),
        ("weekly", "weekly, on Tuesday, 03:00 Europe/Madrid"),
        ("monthly", "monthly, on the 1st, 03:00 Europe/Madrid"),
        ("FREQ=YEARLY", "yearly, on the 1st of December, 03:00 Europe/Madrid"),
        ("FREQ=MONTHLY;BYDAY=1TU", "monthly, on the first Tuesday, 03:00 Europe/Madrid"),
        (
            "FREQ=MONTHLY;BYDAY=1TU,-1FR",
            "monthly, on the first Tuesday and last Friday, 03:00 Europe/Madrid",
        ),
        ("30 22 * * mon-fri", "weekdays, 22:30 Europe/Madrid"),
        ("FREQ=DAILY;BYDAY=SA,SU", "weekends, 03:00 Europe/Madrid"),
        ("0 3 * * mon,thu,sat", "weekly, on Monday, Thursday and Saturday, 03:00 Europe/Madrid"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU", "every 2 weeks, on Sunday, 03:00 Europe/Madrid"),
        ("FREQ=DAILY;INTERVAL=3", "every 3 days, 03:00 Europe/Madrid"),
        ("FREQ=MONTHLY;INTERVAL=3", "every 3 months, on the 1st, 03:00 Europe/Madrid"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/20 * * * *", "every 20 minutes"),
        ("FREQ=HOURLY", "every hour"),
        ("FREQ=HOURLY;INTERVAL=2", "every 2 hours from 03:00"),
        ("5,35 * * * *", "every hour, at :05 and :35"),
        ("0 8,20 * * *", "daily, 08:00 and 20:00 Europe/Madrid"),
        ("*/30 9-17 * * 1-5", "weekdays, every 30 minutes from 09:00 to 17:30 Europe/Madrid"),
        ("0 */2 * * *", "daily, every 2 hours from 00:00 to 22:00 Europe/Madrid"),
        ("0 3 1,15 jan,jul *", "yearly, on the 1st and 15th of January and July, 03:00 Europ…"),
        ("0 3 * dec mon", "weekly, on Monday, in December, 03:00 Europe/Madrid"),
        ("FREQ=YEARLY;BYMONTHDAY=30", "monthly, on the 30th, 03:00 Europe/Madrid"),
        ("FREQ=YEARLY;BYDAY=1MO", "yearly, on the first Monday of the year, 03:00 Europe/Madrid"),
        ("FREQ=YEARLY;BYMONTH=6;BYDAY=-1MO", "yearly, on the last Monday of June, 03:00 Europe…"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "monthly, on the last day, 03:00 Europe/Madrid"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "monthly, on the 3rd to last day, 03:00 Europe/Madrid"),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "monthly, on the last weekday, 03:00 Europe/Madrid",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1",
            "monthly, on the 30th, or the last day of a shorter month, 03:00 Europe/Madrid",
        ),
        ("FREQ=DAILY;COUNT=3", "daily, 03:00 Europe/Madrid, 3 times in all"),
        ("FREQ=DAILY;UNTIL=20270301", "daily, 03:00 Europe/Madrid, until 2027-03-01"),
        (
            "FREQ=DAILY;UNTIL=20270301T020000Z",
            "daily, 03:00 Europe/Madrid, until 2027-03-01 03:00",
        ),
        # too much for a few words
        ("FREQ=YEARLY;BYDAY=20MO", "FREQ=YEARLY;BYDAY=20MO"),
        ("FREQ=YEARLY;BYWEEKNO=20", "FREQ=YEARLY;BYWEEKNO=20"),
        ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR"),
        ("FREQ=MINUTELY;BYMINUTE=1,2", "FREQ=MINUTELY;BYMINUTE=1,2"),
    ],
)
def test_rule_in_words(rule: str, words: str) -> None:
    stored = timing.parse_rule(rule, TUESDAY)
    said = timing.describe(stored, TUESDAY)
    start, cut, _ = words.partition("…")
    assert said.startswith(start) if cut else said == words
    assert timing.describe(stored, TUESDAY, zone=False) == said.replace(" Europe/Madrid", "")


def test_seconds_are_said_where_there_are_some() -> None:
    at = moment("2026-12-01 03:00:07", "UTC")
    assert timing.describe("FREQ=DAILY", at) == "daily, 03:00:07 UTC"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=MINUTELY;INTERVAL=15", "every 15 minutes from 03:07"),
        ("FREQ=MINUTELY;INTERVAL=7", "every 7 minutes from 03:07"),
        ("FREQ=MINUTELY", "every minute"),
        ("FREQ=HOURLY", "every hour from 03:07"),
        ("FREQ=HOURLY;BYMONTH=6", "every hour from 03:07, in June"),
        ("5,35 * * * *", "every hour, at :05 and :35"),
        ("*/15 * * * *", "every 15 minutes from 03:07"),
    ],
)
def test_a_rule_that_counts_from_its_first_moment_says_from_when(rule: str, words: str) -> None:
    at = moment("2026-12-01 03:07", "Europe/Madrid")
    assert timing.describe(timing.parse_rule(rule, at), at) == words


@settings(deadline=None, max_examples=100)
@given(
    rule=WALL_RULES
    | some.builds(
        "FREQ={};INTERVAL={};BYMINUTE={}".format,
        some.sampled_from(["HOURLY", "MINUTELY"]),
        some.integers(1, 90),
        some.integers(0, 59),
    ),
    start=STARTS,
    zone=some.sampled_from(ZONES),
)
def test_words_never_raise_and_stand_on_one_line(rule: str, start: datetime, zone: str) -> None:
    at = timing.Moment(start, zone, 0, timing.moments.first_instant(start, units.load_zone(zone)))
    said = timing.describe(parsed(rule, at), at)
    assert said
    assert said.isprintable()


def common_rules() -> list[str]:
    """Rules as people have them: each frequency, with days, months, times and intervals."""
    days = [
        *("", "BYDAY=MO", "BYDAY=SU", "BYDAY=MO,TH", "BYDAY=MO,TU,WE,TH,FR", "BYDAY=SA,SU"),
        *("BYDAY=1MO", "BYDAY=-1MO", "BYDAY=2MO", "BYDAY=1MO,1TU", "BYDAY=MO;BYSETPOS=1"),
        *("BYDAY=MO,TU;BYSETPOS=1", "BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "BYDAY=SA,SU;BYSETPOS=-1"),
        *("BYMONTHDAY=1", "BYMONTHDAY=1,15", "BYMONTHDAY=-1", "BYMONTHDAY=-2", "BYMONTHDAY=30"),
        *("BYMONTHDAY=28,29,30;BYSETPOS=-1", "BYMONTHDAY=13;BYDAY=FR", "BYYEARDAY=100"),
        *("BYWEEKNO=20", "BYDAY=MO;BYMONTHDAY=1,2,3,4,5,6,7"),
    ]
    months = ["", "BYMONTH=1", "BYMONTH=6,12"]
    times = ["", "BYHOUR=3", "BYHOUR=3,15;BYMINUTE=0", "BYHOUR=9,10,11,12,13;BYMINUTE=0,30"]
    times += ["BYHOUR=9,10,11,12,13;BYMINUTE=0", "BYHOUR=9,10,11,12,14;BYMINUTE=0"]
    long = product(
        ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"), ("", "INTERVAL=2"), days, months, times
    )
    minutes = (
        "",
        "BYMINUTE=0",
        "BYMINUTE=30",
        "BYMINUTE=0,30",
        "BYMINUTE=0,20,40",
        "BYMINUTE=5,35",
    )
    short = product(("HOURLY", "MINUTELY"), ("", "INTERVAL=2", "INTERVAL=15"), minutes, months)
    return [";".join(filter(None, (f"FREQ={each[0]}", *each[1:]))) for each in (*long, *short)]


@pytest.mark.parametrize("minute", [0, 5, 7])
def test_rules_with_the_same_words_have_the_same_moments(minute: int) -> None:
    at = moment(f"2027-01-04 03:{minute:02}", "UTC")
    said = defaultdict(set)
    for rule in common_rules():
        try:
            stored = timing.normalize_rule(rule)
        except ValueError:
            continue  # a part that means nothing with that frequency
        said[timing.describe(stored, at)].add(stored)
    before = at.instant - timedelta(minutes=1)
    for words, rules in said.items():
        alike = sorted(rules) if len(rules) > 1 else []
        moments = [timing.upcoming(rule, at, before, 20) for rule in alike]
        assert all(others == moments[0] for others in moments), (words, rules)
    in_words = [words for words in said if not words.startswith("FREQ=")]
    assert len(in_words) > 250
