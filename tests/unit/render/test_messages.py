"""Messages of hosts: once for all that say the same, when their task has ended, and bounded."""

import io

import pytest
from rich.console import Console

from diaken_cli.events import (
    Event,
    HostFinished,
    PlayStarted,
    RunStarted,
    StepProgressed,
    TaskFinished,
    TaskStarted,
    Warned,
)
from diaken_cli.render.messages import (
    LONGEST_LINE,
    MOST_GATHERED,
    MOST_LINES,
    MOST_NAMES,
    Message,
    MessageCollector,
    merge_same_texts,
    message_text,
    short_message_text,
)
from diaken_cli.types import HostResult, HostStatus, RunKind, TaskResult

HOSTS = ("web01", "web02", "web03")
START = RunStarted(run=12, kind=RunKind.PLAYBOOK, target="web", hosts=HOSTS, playbook="update")
NEXT: tuple[Event, ...] = (
    TaskStarted(playbook="update", play="Update", task="Next", action="x"),
    PlayStarted(playbook="update", play="Next"),
    HostFinished(result=HostResult("web01", "10.0.4.21", HostStatus.SUCCESS)),
)


def ended(
    host: str,
    printed: str | None = None,
    *,
    item: str | None = None,
    result: TaskResult = TaskResult.OK,
    message: str | None = None,
) -> TaskFinished:
    return TaskFinished(
        playbook="update",
        play="Update",
        task="Say",
        action="debug",
        host=host,
        result=result,
        item=item,
        duration_seconds=0.5,
        message=message,
        printed=printed,
    )


def gathered(*events: Event, failures: bool = True) -> list[Message]:
    """What is complete after the last of them."""
    collector = MessageCollector(failures=failures, printed=True)
    for event in (START, *events[:-1]):
        assert collector.note(event) == []
    return collector.note(events[-1])


def shown(message: Message, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return message_text(message, Console(file=stream, soft_wrap=True), 12).plain


def test_the_same_of_all_hosts_is_one_message_as_soon_as_the_last_has_said_it() -> None:
    (message,) = gathered(ended("web02", "hi"), ended("web03", "hi"), ended("web01", "hi"))
    assert (message.hosts, message.lines) == (HOSTS, ("hi",)), "in the order of the run"
    assert shown(message) == "✓ web01, web02, web03: Say: hi (0.5 s)"


def test_different_texts_stand_apart() -> None:
    messages = gathered(ended("web01", "a"), ended("web02", "b"), ended("web03", "a"))
    assert [(message.hosts, message.lines) for message in messages] == [
        (("web01", "web03"), ("a",)),
        (("web02",), ("b",)),
    ]


@pytest.mark.parametrize("following", NEXT, ids=lambda event: event.type)
def test_what_begins_next_ends_the_waiting(following: Event) -> None:
    (message,) = gathered(ended("web01", "hi"), following)
    assert message.hosts == ("web01",)
    assert (
        gathered(ended("web01", "hi"), Warned(message="mind"), StepProgressed(step="x", position=0))
        == []
    )


def test_the_items_of_a_loop_are_one_text() -> None:
    events = [
        event
        for host in HOSTS
        for event in (*(ended(host, f"number {n}", item=n) for n in "12"), ended(host))
    ]
    (message,) = gathered(*events)
    assert (message.hosts, message.lines) == (HOSTS, ("number 1", "number 2"))


def test_a_loop_says_why_its_items_failed_and_nothing_twice() -> None:
    bad = TaskResult.FAILED
    (message,) = gathered(
        ended("web01", item="a", result=bad, message="no a"),
        ended("web01", item="b"),
        ended("web01", item="c", result=bad, message="no c"),
        ended("web01", result=bad, message="no a"),
        NEXT[0],
    )
    assert (message.status, message.lines) == ("failed", ("a: no a", "c: no c"))


def test_failures_are_left_to_those_who_show_them_elsewhere() -> None:
    failure = ended("web01", result=TaskResult.FAILED, message="no")
    assert gathered(failure, NEXT[0], failures=False) == []
    (message,) = gathered(failure, NEXT[0])
    assert shown(message) == "✗ web01: Say: no (0.5 s)"


def test_an_ignored_failure_says_that_it_is() -> None:
    failure = ended("web01", result=TaskResult.IGNORED, message="no")
    (message,) = gathered(failure, NEXT[0])
    assert shown(message) == "✗ web01: Say (ignored): no (0.5 s)"
    several = ended("web01", result=TaskResult.IGNORED, message="no\nmore")
    (message,) = gathered(several, NEXT[0])
    assert shown(message).splitlines()[0] == "✗ web01: Say (ignored) (0.5 s)"


def test_a_long_text_is_cut_and_says_where_the_rest_is() -> None:
    text = "\n".join(map(str, range(MOST_LINES + 30)))
    (message,) = merge_same_texts([("web01", "Say", "ok", text, None)])
    lines = shown(message).splitlines()
    assert (len(lines), lines[1]) == (MOST_LINES + 2, "    0")
    assert lines[-1] == "    … 30 more lines: diaken history output 12 --host web01"
    (message,) = merge_same_texts([("web01", "Say", "ok", "x" * (LONGEST_LINE + 1), None)])
    assert shown(message).splitlines()[-1].startswith("    … the rest: diaken history output 12")


def test_on_a_narrow_terminal_a_long_line_goes_on_below_its_own_indentation() -> None:
    narrow = Console(file=io.StringIO(), width=30)
    (message,) = merge_same_texts(
        [("web01", "Say", "ok", "out:\n  total 772 files\n  " + "word " * 6, None)]
    )
    assert message_text(message, narrow, 12).plain.splitlines()[1:] == [
        "    out:",
        "      total 772 files",
        "      word word word word word",
        "      word",
    ]


def test_of_many_hosts_the_first_are_named() -> None:
    (message,) = merge_same_texts([(f"web{n}", "Say", "ok", "hi", None) for n in range(50)])
    assert f"web{MOST_NAMES - 1} and {50 - MOST_NAMES} more: Say: hi" in shown(message)


def test_what_waits_is_bounded() -> None:
    collector = MessageCollector(failures=True, printed=True)
    collector.note(
        RunStarted(
            run=1,
            kind=RunKind.PLAYBOOK,
            target="web",
            hosts=tuple(f"web{number}" for number in range(1000)),
        )
    )
    text = "x" * (MOST_GATHERED // 4)
    said = [len(collector.note(ended(f"web{number}", f"{number}{text}"))) for number in range(8)]
    assert said == [0, 0, 0, 4, 0, 0, 0, 4]


def test_nothing_of_a_host_moves_the_cursor() -> None:
    evil = "\x1b[2J\x07\u202e\x9b31m\rone\ttwo\nthree\x0b\x85"
    (message,) = merge_same_texts([(evil, evil, "ok", evil, None)])
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    for text in (shown(message), short_message_text(message, console).plain):
        assert not set(text) & set("\x1b\x07\u202e\x9b\r\t\x0b\x85")


def test_where_the_terminal_has_no_unicode_the_signs_are_ascii() -> None:
    text = "\n".join(map(str, range(MOST_LINES + 30)))
    (message,) = merge_same_texts([("web01", "Say", "ok", text, None)])
    assert shown(message, "ascii").isascii()
