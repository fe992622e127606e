import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from diaken_cli import bounds
from diaken_cli.services.ansible.channel import Channel, MalformedEvent


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    channel = Channel(tmp_path)
    yield channel
    channel.close()


@pytest.fixture
def writing(channel: Channel) -> Iterator[int]:
    """A descriptor as the plugin opens it."""
    descriptor = os.open(channel.environment["DIAKEN_EVENTS"], os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


def test_events_come_whole_and_once(channel: Channel, writing: int) -> None:
    os.write(writing, b'{"event": "a"}\n{"event": "b", "text": "x\\n"}\n{"eve')
    assert list(channel.events()) == [{"event": "a"}, {"event": "b", "text": "x\n"}]
    assert list(channel.events()) == []
    os.write(writing, b'nt": "c"}\n')
    assert list(channel.events()) == [{"event": "c"}]


def test_what_is_no_event_is_told_and_the_others_come(channel: Channel, writing: int) -> None:
    bad = (b"\n", b"[1]\n", b'{"event": 1}\n', b'{"host": "x"}\n', b"\xff\n", b"[" * 9999 + b"\n")
    os.write(writing, b"".join(bad) + b'{"event": "a"}\n')
    for _ in bad:
        with pytest.raises(MalformedEvent):
            next(channel.events())
    assert list(channel.events()) == [{"event": "a"}]


def test_a_line_without_end_is_given_up_and_takes_no_other_with_it(
    channel: Channel, writing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "EVENT", 1000)
    os.write(writing, b'{"x": "' + b"x" * 2000)
    assert list(channel.events()) == []
    os.write(writing, b'x" * 2000}\n{"event": "a"}\n{"event": "b"}\n')
    with pytest.raises(MalformedEvent):
        next(channel.events())
    assert list(channel.events()) == [{"event": "a"}, {"event": "b"}]


def test_what_ansible_prints_comes_by_lines_and_up_to_a_bound(channel: Channel) -> None:
    assert channel.printed() == []
    said = Path(channel.environment["DIAKEN_SAID"])
    said.write_text("[WARNING]: one\ntwo\n")
    assert channel.printed() == ["[WARNING]: one", "two"]
    said.write_bytes(said.read_bytes() + b"x" * (bounds.LAST_WORDS + 5))
    assert channel.printed() == ["x" * bounds.LAST_WORDS]


def test_without_a_reader_a_writer_is_told(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    descriptor = os.open(channel.environment["DIAKEN_EVENTS"], os.O_WRONLY)
    channel.close()
    with pytest.raises(BrokenPipeError):
        os.write(descriptor, b"{}\n")
    os.close(descriptor)
