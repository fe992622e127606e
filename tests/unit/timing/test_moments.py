"""Moments: what DST skips and repeats is settled or refused."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from diaken_cli import timing
from tests.unit.timing.moments import moment, utc


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-12-01 03:00", "Europe/Madrid", "2026-12-01 02:00"),
        ("2026-12-01T03:00", "Europe/Madrid", "2026-12-01 02:00"),
        ("2026-12-01 03:00:07", "America/Bogota", "2026-12-01 08:00:07"),
        ("2026-07-01 03:00", "Asia/Kolkata", "2026-06-30 21:30"),
        ("2026-07-01T03:00+05:30", "Asia/Kolkata", "2026-06-30 21:30"),
        ("2026-07-01T03:00+0200", "Europe/Berlin", "2026-07-01 01:00"),
        ("2026-07-01T03:00+02", "Europe/Berlin", "2026-07-01 01:00"),
        ("2026-07-01T03:00Z", "UTC", "2026-07-01 03:00"),
        ("2026-10-25T02:30+02:00", "Europe/Berlin", "2026-10-25 00:30"),
        ("2026-10-25T02:30+01:00", "Europe/Berlin", "2026-10-25 01:30"),
        ("2026-03-29T02:30+01:00", "Europe/Berlin", "2026-03-29 01:30"),
        ("2026-03-29T02:30+02:00", "Europe/Berlin", "2026-03-29 00:30"),
        ("2026-12-01T03:00+05:00", "Europe/Berlin", "2026-11-30 22:00"),
        ("2026-12-01T03:00Z", "Europe/Berlin", "2026-12-01 03:00"),
        ("2026-10-25T02:30+03:00", "Europe/Berlin", "2026-10-24 23:30"),
        ("2026-10-25T01:30Z", "Europe/Berlin", "2026-10-25 01:30"),
        ("2026-07-01T03:00-04:30", "America/Bogota", "2026-07-01 07:30"),
        ("2026-04-05T01:45+11:00", "Australia/Lord_Howe", "2026-04-04 14:45"),
        ("2026-04-05T01:45+10:30", "Australia/Lord_Howe", "2026-04-04 15:15"),
        # What `date` and other programs print is an instant, whatever the zone.
        ("2026-11-30T03:00:07Z", "Asia/Kolkata", "2026-11-30 03:00:07"),
        ("2026-12-01t03:00z", "Europe/Berlin", "2026-12-01 03:00"),
        ("2026-12-01 03:00 UTC", "Australia/Lord_Howe", "2026-12-01 03:00"),
        ("2026-12-01T03:00:00+0000", "America/Bogota", "2026-12-01 03:00"),
        ("2026-12-01T03:00:00-00:00", "America/Bogota", "2026-12-01 03:00"),
        ("2026-12-01 03:00:00+00:00", "Europe/Berlin", "2026-12-01 03:00"),
        ("2026-12-01 03:00:00 +0530", "Europe/Berlin", "2026-11-30 21:30"),
        ("2026-12-01T03:00+05:45", "UTC", "2026-11-30 21:15"),
        ("2026-12-01T03:00-09:30", "Europe/Berlin", "2026-12-01 12:30"),
        ("2026-12-01T03:00+14", "Europe/Berlin", "2026-11-30 13:00"),
        ("2026-12-01T03:00-1200", "Asia/Kolkata", "2026-12-01 15:00"),
        ("2026-12-01T03:00:00.000Z", "Europe/Berlin", "2026-12-01 03:00"),
        ("2026-12-01T03:00:07,123456789+00:00", "Europe/Berlin", "2026-12-01 03:00:07"),
        # Both instants that a clock shows twice, and one that it never shows, by other clocks.
        ("2026-10-25T00:30Z", "Europe/Berlin", "2026-10-25 00:30"),
        ("2026-10-25T06:15+05:45", "Europe/Berlin", "2026-10-25 00:30"),
        ("2026-03-29T02:30Z", "Europe/Berlin", "2026-03-29 02:30"),
        ("2026-03-29T02:30-05:00", "Europe/Berlin", "2026-03-29 07:30"),
        ("2026-10-04T02:15+10:00", "Australia/Lord_Howe", "2026-10-03 16:15"),
    ],
)
def test_moment_is_local_to_its_zone(text: str, zone: str, instant: str) -> None:
    found = moment(text, zone)
    assert found.instant == utc(instant)
    assert found.zone == zone
    again = found.wall.replace(tzinfo=ZoneInfo(zone), fold=found.fold)
    assert again.astimezone(UTC) == found.instant, "what is stored is the same moment"


# It is Thursday 2026-01-15, 13:00:30 in Berlin, 01:00:30 on Friday in Auckland.
@pytest.mark.parametrize(
    ("text", "zone", "wall"),
    [
        ("13:01", "Europe/Berlin", "2026-01-15 13:01"),
        ("13:00", "Europe/Berlin", "2026-01-16 13:00"),
        ("3:00", "Europe/Berlin", "2026-01-16 03:00"),
        ("13:00:31", "Europe/Berlin", "2026-01-15 13:00:31"),
        ("today 23:59", "Europe/Berlin", "2026-01-15 23:59"),
        ("tomorrow 03:00", "Europe/Berlin", "2026-01-16 03:00"),
        (" Tomorrow  23:00 ", "Europe/Berlin", "2026-01-16 23:00"),
        ("sun 03:00", "Europe/Berlin", "2026-01-18 03:00"),
        ("SUNDAY 03:00", "Europe/Berlin", "2026-01-18 03:00"),
        ("Thurs 13:01", "Europe/Berlin", "2026-01-15 13:01"),
        ("thu 13:00", "Europe/Berlin", "2026-01-22 13:00"),
        ("tomorrow 03:00", "Pacific/Auckland", "2026-01-17 03:00"),
        ("fri 01:00", "Pacific/Auckland", "2026-01-23 01:00"),
        ("13:00Z", "Europe/Berlin", "2026-01-15 14:00"),
        ("12:00z", "Europe/Berlin", "2026-01-16 13:00"),
        ("sun 03:00Z", "Europe/Berlin", "2026-01-18 04:00"),
        ("tomorrow 00:30+05:30", "Europe/Berlin", "2026-01-15 20:00"),
        ("fri 00:30 -1000", "Pacific/Auckland", "2026-01-16 23:30"),
    ],
)
def test_day_and_time_are_the_next_such_ones(text: str, zone: str, wall: str) -> None:
    found = moment(text, zone)
    assert found.wall == datetime.fromisoformat(wall)
    assert found.instant == found.wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_next_time_of_day_that_clocks_skip_or_repeat_is_asked_for() -> None:
    before = utc("2026-03-28 12:00")
    for text in ("02:30", "tomorrow 02:30", "sun 02:30"):
        with pytest.raises(ValueError, match="2026-03-29 02:30 does not exist in Europe/Berlin"):
            moment(text, now=before)
    with pytest.raises(ValueError, match="2026-10-25 02:30 happens twice in Europe/Berlin"):
        moment("02:30", now=utc("2026-10-25 00:40"))
    # The second one has passed as well.
    assert moment("02:30", now=utc("2026-10-25 01:40")).instant == utc("2026-10-26 01:30")


def test_moment_from_now() -> None:
    found = moment("+2h")
    assert found.instant == utc("2026-01-15 14:00:30")
    assert found.wall == datetime(2026, 1, 15, 15, 0, 30)  # noqa: DTZ001  # a wall has no zone
    fallen_back = moment("+90m", now=utc("2026-10-25 00:15"))
    assert (fallen_back.wall.hour, fallen_back.wall.minute, fallen_back.fold) == (2, 45, 1)


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", "set forward from 02:00 to 03:00. Use 2026-03-29"),
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T02:30:00+01:00 is 2026-03-29 03:30 the"),
        ("2026-10-25 02:30", "Europe/Berlin", "use 2026-10-25T02:30:00+02:00 for the first"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T02:30:00+01:00 for the second"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", "set forward from 02:00 to 02:30"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-05T01:45:00+10:30 for the second"),
        ("2026-01-15T13:00+05:00", "Europe/Berlin", "in the past: it is 2026-01-15 13:00:30 in Eu"),
        ("2026-01-15 13:00", "Europe/Berlin", "in the past: it is 2026-01-15 13:00:30 in Europe"),
        ("2026-02-30 13:00", "Europe/Berlin", "day is out of range"),
        ("2026-02-03 24:30", "Europe/Berlin", "hour must be in"),
        ("2026-12-01", "Europe/Berlin", "use a form such as 2026-12-01 03:00"),
        ("tomorrow", "Europe/Berlin", "use a form such as 2026-12-01 03:00, 03:00, tomorrow 03:00"),
        ("today 12:59", "Europe/Berlin", "'today 12:59' is in the past"),
        ("su 03:00", "Europe/Berlin", "'su' is not a day"),
        ("someday 03:00", "Europe/Berlin", "'someday' is not a day"),
        ("sun 24:00", "Europe/Berlin", "24:00 is not a time of day"),
        ("3am", "Europe/Berlin", "use a form such as"),
        ("2026-12-01T03:00+24:00", "Europe/Berlin", "+24:00 is not a UTC offset"),
        ("2026-12-01T03:00+0160", "Europe/Berlin", "+0160 is not a UTC offset"),
        ("03:00+25", "Europe/Berlin", "+25 is not a UTC offset"),
        ("2026-12-01T03:00+2", "Europe/Berlin", "use a form such as"),
        ("2026-12-01T03:00 CET", "Europe/Berlin", "use a form such as"),
        ("2026-12-01T03:00ZZ", "Europe/Berlin", "use a form such as"),
        ("2026-01-15T12:00:30Z", "Asia/Kolkata", "in the past: it is 2026-01-15 17:30:30"),
        ("2026-12-01 ٣3:00", "Europe/Berlin", "use a form such as"),
        ("", "Europe/Berlin", "use a form such as"),
        ("9999-12-31 23:59", "America/Bogota", "a hundred years"),
        ("0001-01-01 00:00", "Asia/Kolkata", "a hundred years"),
        ("+2", "Europe/Berlin", "is not a duration"),
        ("+0h", "Europe/Berlin", "must be more than 0"),
        ("+2h", "Europe/Nowhere", "not a time zone, such as"),
        ("+2h", "Europe", "not a time zone"),
        ("+2h", "../../etc/passwd", "not a time zone"),
        ("+2h", "", "not a time zone"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, zone: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        moment(text, zone)
    assert says in str(refused.value)


def test_zone_of_the_machine(tmp_path: Path) -> None:
    zones = tmp_path / "zoneinfo"
    (zones / "Asia").mkdir(parents=True)
    (zones / "Asia/Kolkata").touch()
    link, unnamed = tmp_path / "localtime", tmp_path / "copy"
    link.symlink_to(zones / "Asia/Kolkata")
    unnamed.touch()
    assert timing.machine_zone({}, link) == "Asia/Kolkata"
    assert timing.machine_zone({"TZ": ":America/Bogota"}, link) == "America/Bogota"
    assert timing.machine_zone({}, tmp_path / "missing") == "UTC"
    for environ, localtime in (({"TZ": "CET-1CEST"}, link), ({}, unnamed)):
        with pytest.raises(ValueError, match="set one with --timezone"):
            timing.machine_zone(environ, localtime)
