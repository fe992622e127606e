"""`schedule` by the command: all is checked when it is added, and moments are those of the wall."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.cli import Cli
from tests.e2e.schedules.scheduling import prepared

ADD = ("schedule", "add")
SAY = ("--playbook", "append", "-e", "line=x")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return prepared(tmp_path_factory.mktemp("schedule"))


def next_change(zone: str, *, forward: bool) -> datetime:
    """The next change of clocks that is a week away at least, by watching them."""
    region = ZoneInfo(zone)
    at = (datetime.now(UTC) + timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
    step = timedelta(minutes=30)
    while True:
        before, after = (each.astimezone(region).utcoffset() for each in (at, at + step))
        assert before is not None
        assert after is not None
        at += step
        if (after > before) if forward else (after < before):
            return at


def watched(wall: datetime, zone: str) -> datetime:
    """The first minute at which a clock of the zone shows that or later, on its way up."""
    at = wall.replace(tzinfo=UTC) - timedelta(hours=26)
    while at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wall:
        at += timedelta(minutes=1)
    return at


CHANGES = (
    ("Europe/Berlin", True),
    ("Europe/Berlin", False),
    ("Australia/Lord_Howe", True),
    ("Australia/Lord_Howe", False),
    ("America/Bogota", None),  # has none
    ("Asia/Kolkata", None),
)


def days_before(zone: str, forward: bool | None) -> datetime:
    """Two days before a change of clocks, at the time of day that it skips or repeats."""
    change = next_change("Europe/Berlin" if forward is None else zone, forward=bool(forward))
    there = change.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    # Clocks that go forward show the end of the gap; a quarter before it was skipped.
    return there - timedelta(days=2, minutes=-15 if forward is False else 15)


def test_moments_fall_where_the_wall_clock_says(cli: Cli) -> None:
    expected: dict[str, list[datetime]] = {}
    for zone, forward in CHANGES:
        wall, name = days_before(zone, forward), f"{zone} {forward}"
        when = ("--at", f"{wall:%Y-%m-%d %H:%M}", "--timezone", zone, "--every", "daily")
        added = cli.run(*ADD, name, "--host", "web01", *SAY, *when)
        expected[name] = [watched(wall + timedelta(days=each), zone) for each in range(5)]
        first = expected[name][0]
        assert added.status == 0, added.err
        assert f"({first:%Y-%m-%d %H:%M} UTC), in " in added.err
        assert f" {wall:%Y-%m-%d %H:%M} {first.astimezone(ZoneInfo(zone)):%z} {zone}" in added.err
        offsets = {f"{each.astimezone(ZoneInfo(zone)):%z}" for each in expected[name]}
        assert len(offsets) == (1 if forward is None else 2), "it goes across the change"
    rows = cli.json("schedule", "upcoming", "-n", "1000")
    shown = cli.run("schedule", "upcoming", "-n", "1000").out
    for zone, forward in CHANGES:
        name = f"{zone} {forward}"
        at = [datetime.fromisoformat(row["at"]) for row in rows if row["task"] == name]
        assert at[:5] == expected[name]
        for each in expected[name]:
            there = each.astimezone(ZoneInfo(zone))
            assert f"{there:%a %Y-%m-%d %H:%M} {zone} " in shown
            assert f"  {there:%z}  " in shown
    for task in cli.store.schedules.tasks(include_ended=False):
        cli.store.schedules.cancel(task)


def test_all_mistakes_are_told_at_once(cli: Cli) -> None:
    wrong = ("--host", "nope", "--playbook", "nope", "--timezone", "Mars/Olympus", "--at", "+1h")
    more = ("--misfire-grace", "60", "--forks", "many", "-e", "ansible_host=10.0.0.1")
    told = cli.mistakes(2, *ADD, "12", *wrong, *more)
    assert set(told) == {
        *("NAME", "--host", "--playbook", "--timezone"),
        *("--misfire-grace", "--forks", "--extra-var"),
    }
    both = (
        "--at",
        "soon",
        "--timezone",
        "Mars/Olympus",
        "--every",
        "FREQ=DAILY;UNTIL=20310101;COUNT=2",
    )
    empty = ("--group", "web", "--exclude", "nope", "--playbook", "broken")
    told = cli.mistakes(2, *ADD, "x", *empty, *both)
    assert told == ["--exclude", "--timezone", "--at", "--every"]
    assert cli.mistakes(2, *ADD, "x", "--host", "web01", *SAY, "--at", "2020-01-01 03:00") == [
        "--at"
    ]
    never = ("--at", "+1h", "--every", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
    assert cli.mistakes(2, *ADD, "x", "--host", "web01", *SAY, *never) == ["--every"]


@pytest.mark.parametrize("target", [(), ("--environment", "TEST")])
def test_a_task_needs_a_host_or_a_group(cli: Cli, target: tuple[str, ...]) -> None:
    (mistake,) = cli.error(2, *ADD, "x", *target, *SAY, "--at", "+1h")["mistakes"]
    assert mistake["message"] == (
        "one of --host, --group is required; a whole environment can't be scheduled: add a task"
        " for each of its groups"
    )


def test_what_could_not_run_is_refused_when_it_is_added(cli: Cli) -> None:
    broken = ("--host", "web01", "--playbook", "broken", "--at", "+1h")
    assert cli.error(14, *ADD, "x", *broken)["code"] == "ansible"
    assert cli.run("groups", "add", "empty", "--environment", "TEST").status == 0
    empty = ("--group", "empty", "--environment", "TEST", *SAY, "--at", "+1h")
    assert cli.error(11, *ADD, "x", *empty)["code"] == "no_active_host"


def test_a_task_is_changed_canceled_and_its_name_is_free_again(cli: Cli) -> None:
    task = cli.json(*ADD, "weekly", "--group", "web", *SAY, "--at", "+3h", "--every", "weekly")
    assert (task["target_type"], task["target"], task["status"]) == ("group", "web", "pending")
    assert (task["every"], task["next_at"], task["last_run"]) == ("FREQ=WEEKLY", task["at"], None)
    assert cli.error(12, *ADD, "weekly", "--host", "web01", *SAY, "--at", "+1h")["code"] == "in_use"
    assert cli.mistakes(2, *ADD, "weekly", "--host", "web01", *SAY, "--at", "no") == [
        "NAME",
        "--at",
    ]
    changed = cli.json("schedule", "set", "weekly", "--tags", "a", "--misfire-grace", "2h")
    assert (changed["next_at"], changed["options"]["tags"]) == (task["next_at"], ["a"])
    assert "nothing to change" in cli.error(2, "schedule", "set", "weekly")["message"]
    moved = cli.json("schedule", "set", str(task["id"]), "--at", "+5h", "--every", "")
    assert (moved["every"], moved["next_at"] > task["next_at"]) == (None, True)
    assert cli.json("schedule", "cancel", "weekly")["status"] == "canceled"
    assert cli.error(12, "schedule", "cancel", str(task["id"]))["code"] == "ended"
    assert cli.error(12, "schedule", "set", str(task["id"]), "--at", "+1h")["code"] == "ended"
    again = cli.json(*ADD, "weekly", "--host", "web01", *SAY, "--at", "+1h")
    assert cli.json("schedule", "show", "weekly")["id"] == again["id"] != task["id"]
    assert cli.error(11, "schedule", "show", "nope")["code"] == "not_found"
    assert cli.error(11, "schedule", "set", "Wekely")["hint"] == "Did you mean weekly?"
    tasks = cli.json("schedule", "list", "--all")
    ended = sum(task["status"] not in ("pending", "running") for task in tasks)
    said = f"; {ended} ended not shown (--all)\r\n"
    assert said in cli.at_a_terminal("schedule", "list").out, "those of other tests, too"
    assert "not shown" not in cli.run("schedule", "list").err


def test_what_was_said_of_a_task_is_taken_back(cli: Cli) -> None:
    password = cli.folder / "vault"
    password.write_text("x")
    password.chmod(0o600)
    words = (
        *("--check", "--diff", "--tags", "a,b", "--skip-tags", "c", "--limit", "web01"),
        *("--exclude", "web02", "-e", "a=b", "--forks", "3", "--timeout", "5m"),
        *("--become-password-command", "pass x", "--vault-password-file", str(password)),
        *("--snapshot", "--misfire-grace", "2h", "--every", "daily"),
    )
    said = (*ADD, "said", "--group", "web", *SAY, "--at", "03:00", "--timezone", "UTC")
    before = cli.json(*said, *words)
    assert len(before["options"]) == 11
    unmatched = cli.run("schedule", "set", "said", "--limit", "web01:!gone").err
    assert "warning: --limit: gone matches no active host and no group\n" in unmatched
    assert "[WARNING]" not in unmatched
    assert cli.json("schedule", "set", "said", "--limit", "")["options"].get("limit") is None
    back = (
        *("--no-check", "--no-diff", "--tags", "", "--skip-tags", "", "--exclude", ""),
        *("-e", "line=x", "--forks", "", "--timeout", "", "--become-password-command", ""),
        *("--vault-password-file", "", "--no-snapshot", "--misfire-grace", "", "--every", ""),
    )
    after = cli.json("schedule", "set", "said", *back)
    assert (after["options"], after["snapshot"]) == ({"extra_vars": ["line=x"]}, False)
    assert (after["every"], after["at"]) == (None, before["next_at"]), "only its next run time"
    task = cli.store.schedules.find("said")
    assert task is not None
    assert task.grace == 3600
    assert cli.json("schedule", "set", "said", "-e", "")["options"] == {}
    nothing_to_take_back = (*said[:2], "x", *said[3:], "--tags", "", "--forks", "")
    assert cli.mistakes(2, *nothing_to_take_back) == ["--tags", "--forks"]


def test_pause_and_resume_freeze_and_thaw_all(cli: Cli) -> None:
    assert cli.json("scheduler", "pause", "--until", "+2h")["paused"]
    status = cli.json("scheduler", "status")
    assert status["paused"]
    assert datetime.fromisoformat(status["paused_until"]) > datetime.now(UTC)
    idle = cli.run("scheduler", "tick")
    assert (idle.status, idle.out, idle.err) == (0, "", "")
    assert cli.mistakes(2, "scheduler", "pause", "--until", "yesterday") == ["--until"]
    assert cli.json("scheduler", "resume") == {"paused": False, "paused_until": None}
    assert not cli.json("scheduler", "status")["paused"]


def test_moments_as_people_say_them(cli: Cli) -> None:
    zone = ZoneInfo("Europe/Madrid")
    what = ("--host", "web01", *SAY, "--timezone", "Europe/Madrid")
    task = cli.json(*ADD, "sunday", *what, "--at", "Sun 03:00", "--every", "weekly")
    first = datetime.fromisoformat(task["at"])
    there = first.astimezone(zone)
    assert (there.weekday(), there.hour, there.minute) == (6, 3, 0)
    assert timedelta() < first - datetime.now(UTC) < timedelta(days=7, hours=2)
    tomorrow = cli.json(*ADD, "tomorrow", *what, "--at", "tomorrow 23:30")
    day = datetime.fromisoformat(tomorrow["at"]).astimezone(zone).date()
    assert (day - datetime.now(zone).date()).days in (0, 1)  # midnight may have passed since
    instant = cli.json(*ADD, "instant", *what, "--at", "2031-07-01T03:00-04:00")
    assert (instant["at"], instant["timezone"]) == ("2031-07-01T07:00:00Z", "Europe/Madrid")
    assert "Tue 2031-07-01 09:00 +0200" in cli.run("schedule", "show", "instant").out
    paused = cli.json("scheduler", "pause", "--until", "sun 03:00")
    assert datetime.fromisoformat(paused["paused_until"]) > datetime.now(UTC)
    cli.json("scheduler", "resume")
    for name in ("sunday", "tomorrow", "instant"):
        cli.json("schedule", "cancel", name)


def test_the_five_fields_of_cron_say_when_by_themselves(cli: Cli) -> None:
    what = ("--host", "web01", *SAY, "--timezone", "Europe/Madrid")
    done = cli.run(*ADD, "patch", *what, "--every", "0 3 * * sun")
    assert done.status == 0, done.err
    assert done.err.splitlines()[0].endswith("; weekly, on Sunday, 03:00 Europe/Madrid")
    task = cli.json("schedule", "show", "patch")
    assert task["every"] == "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=0"
    assert task["at"] == task["next_at"]
    # from another zone on, from a later moment on
    moved = cli.json("schedule", "set", "patch", "--every", "*/20 * * * *", "--timezone", "UTC")
    assert datetime.fromisoformat(moved["next_at"]) - datetime.now(UTC) <= timedelta(minutes=20)
    later = ("--at", "2031-06-04 10:07", "--every", "*/15 * * * *")
    assert cli.json("schedule", "set", "patch", *later)["at"] == "2031-06-04T10:15:00Z"
    assert cli.json("schedule", "set", "patch", "--tags", "a")["at"] == "2031-06-04T10:15:00Z"
    shown = cli.run("schedule", "show", "patch").out
    assert "every 15 minutes" in shown
    listed, agenda = (
        cli.run("schedule", *words).out for words in (["list"], ["upcoming", "--count", "99"])
    )
    assert "every 15 minutes" in listed
    assert "every 15 minutes" in agenda
    cli.json("schedule", "cancel", "patch")
    for wrong, says in (
        ("0 3 13 * fri", "add two tasks, '0 3 13 * *' and '0 3 * * fri'"),
        ("0 3 * *", "has 4 fields"),
        ("hourly", "'hourly' is not a rule"),
        ("sun 03:00", "'sun 03:00' is a time, not an interval: use daily, weekly or monthly"),
        ("FREQ=HOURLY;BYHOUR=3", "use 'FREQ=DAILY;BYHOUR=3;BYMINUTE="),
    ):
        at = () if wrong.startswith("0") else ("--at", "+1h")
        error = cli.error(2, *ADD, "x", *what, "--every", wrong, *at)
        assert [each["option"] for each in error["mistakes"]] == ["--every"]
        assert says in error["mistakes"][0]["message"]
    assert cli.mistakes(2, *ADD, "x", *what, "--every", "daily") == ["--at"]
    for every, example in (("daily", "03:00"), ("weekly", "'sun 03:00'")):
        lacks = cli.error(2, *ADD, "x", *what, "--every", every)["mistakes"]
        said = f"is required with --every {every}, such as --at {example}"
        assert [lack["message"] for lack in lacks] == [said]
    both = ("--every", "0 3 * * sun", "--at", "soon")
    assert cli.mistakes(2, *ADD, "x", *what, *both) == ["--at"]
    zone = ("--host", "web01", *SAY, "--timezone", "Mars/Olympus", "--every", "0 3 * * *")
    assert cli.mistakes(2, *ADD, "x", *zone) == ["--timezone"]


def test_a_moment_moves_a_series_loudly_and_is_refused_by_a_rule_that_names_its_own(
    cli: Cli,
) -> None:
    what = ("--host", "web01", *SAY, "--timezone", "Europe/Madrid")
    cli.json(*ADD, "moved", *what, "--at", "2031-06-01 03:00", "--every", "weekly")
    done = cli.run("schedule", "set", "moved", "--at", "2031-06-02 04:00")
    was, now = (f"weekly, on {day}:00 Europe/Madrid" for day in ("Sunday, 03", "Monday, 04"))
    assert done.status == 0, done.err
    coming = "2031-06-02, 2031-06-09, 2031-06-16, 2031-06-23"
    said = f"warning: all its run times were moved; was: {was}; now: {now}; next: {coming}\n"
    assert said in done.err
    same_day = cli.run("schedule", "set", "moved", "--at", "2031-06-09 04:00")
    assert (same_day.status, "moved;" in same_day.err) == (0, False)
    cli.json("schedule", "set", "moved", "--every", "*/15 * * * *")
    done = cli.run("schedule", "set", "moved", "--at", "2031-06-04 10:07")
    assert done.err.splitlines()[0].endswith("; every 15 minutes from 10:07")
    coming = ", ".join(f"2031-06-04 10:{minute}" for minute in ("07", "22", "37", "52"))
    assert "moved; was: every 15 minutes; now: every 15 minutes from 10:07; next:" in done.err
    assert f"; next: {coming}\n" in done.err
    cli.json("schedule", "cancel", "moved")
    for rule, at in (("0 3 * * sun", ()), ("FREQ=MONTHLY;BYDAY=2TU", ("--at", "03:00"))):
        before = cli.json(*ADD, "fixed", *what, "--every", rule, *at)
        for wrong in (("--at", "tomorrow 04:00"), ("--timezone", "UTC")):
            error = cli.error(2, "schedule", "set", "fixed", *wrong)
            (mistake,) = error["mistakes"]
            assert mistake["option"] == wrong[0]
            assert "sets its own days or times" in mistake["message"]
            assert "give --every" in mistake["message"]
        assert cli.json("schedule", "show", "fixed") == before
        later = ("--every", "0 4 * * mon", "--at", "2031-06-01 00:00")
        assert cli.json("schedule", "set", "fixed", *later)["at"] == "2031-06-02T02:00:00Z"
        cli.json("schedule", "cancel", "fixed")


def test_a_frequent_task_hides_no_other_one(cli: Cli) -> None:
    for task in cli.store.schedules.tasks(include_ended=False):
        cli.store.schedules.cancel(task)
    what = ("--host", "web01", *SAY, "--timezone", "UTC", "--every")
    added = cli.run(*ADD, "often", *what, "*/5 * * * *")
    assert added.err.startswith("scheduled often (task ")
    assert ": append on host web01 of TEST, " in added.err
    assert len(re.findall(" UTC, (?:in |due now)", added.err)) == 1  # as the moment may be this one
    assert "+0000" not in added.err
    cli.json(*ADD, "yearly", *what, "0 3 1 7 *")
    done = cli.run("schedule", "upcoming", "-n", "4")
    tasks = [
        name
        for line in done.out.splitlines()
        for name in ("often", "yearly")
        if name in line.split()
    ]
    assert tasks == ["often", "often", "yearly", "yearly"]
    assert "More in between: often (every 5 minutes); --count shows more" in done.err
    rows = cli.json("schedule", "upcoming", "-n", "4")
    assert [row["task"] for row in rows] == ["often"] * 4
    cli.json("schedule", "cancel", "yearly")
    alone = cli.run("schedule", "upcoming", "-n", "4")
    assert (alone.out.count("often"), "in between" in alone.err) == (4, False)
    changed = cli.run("schedule", "set", "often", "--misfire-grace", "2h")
    assert changed.err.startswith("changed often (task ")
    cli.json("schedule", "cancel", "often")


def test_nothing_in_a_list_of_tasks_is_broken_at_80_columns(cli: Cli) -> None:
    rule = ("--every", "FREQ=MONTHLY;BYDAY=1TU", "--at", "2031-01-31 03:00")
    what = ("--group", "web", *SAY, "--timezone", "Europe/Madrid", *rule)
    assert cli.run(*ADD, "Patch all web servers of TEST", *what).status == 0
    for words in (("schedule", "list"), ("schedule", "upcoming", "--count", "99")):
        out = cli.at_a_terminal(*words, columns=80, env={"TERM": "dumb"}).out
        assert max(map(len, out.splitlines())) <= 80
        assert "Tue 2031-02-04 03:00" in out
        for word in ("Patch", "servers", "append", "EVERY", "monthly,"):
            assert word in out.split()
        assert "Europe/Madrid" in out
    cli.json("schedule", "cancel", "Patch all web servers of TEST")


def test_the_lines_for_cron_are_printed_and_nothing_is_written(cli: Cli) -> None:
    shape = cli.json("scheduler", "install")
    assert shape["path"] == "/etc/cron.d/diaken"
    assert f'DIAKEN_CONFIG="{cli.config_file}"' in shape["content"]
    assert "root " in shape["content"]
    assert not shape["changed"]
    assert "warning" not in cli.run("scheduler", "install").err
    here = {"DIAKEN_ANSIBLE_FORKS": "7", "DIAKEN_DATABASE_PATH": str(cli.database)}
    done = cli.run("scheduler", "install", env=here)
    assert f'DIAKEN_DATABASE="{cli.database}"' in done.out
    assert "warning: DIAKEN_ANSIBLE_FORKS is set here, but not under cron" in done.err
    assert done.err.count("warning") == 1
