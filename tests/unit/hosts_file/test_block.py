"""The block among the bytes of a hosts file: no other byte changes, and what is odd is said."""

import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.errors import Conflict
from diaken_cli.services.hosts_file import (
    Entry,
    block_lines,
    find_block,
    render_block,
    replace_block,
    sync,
)

OURS = "5f0c"
HEAD = "# BEGIN DIAKEN\n# database 5f0c; written by diaken, changes in here are lost\n"
WEB = Entry("10.0.4.21", "web01.example.com")
DB = Entry("10.0.4.3", "db01")
WHERE = Path("/etc/hosts")

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\x0b", b"\xe2\x80\xa8", b"\n\n"])
PARTS = st.lists(st.binary(max_size=30) | LINE_ENDS, max_size=12)
OUTSIDE = PARTS.map(b"".join).filter(lambda content: b" DIAKEN" not in content)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(\.[a-z]{1,5}){0,2}", fullmatch=True)
ENTRIES = st.lists(
    st.builds(Entry, st.ip_addresses(v=4).map(str), NAMES),
    max_size=6,
    unique_by=(lambda each: each.address, lambda each: each.name),
)


def with_block(content: bytes, entries: list[Entry], database: str = OURS) -> bytes:
    return replace_block(
        content, find_block(content, WHERE), render_block(block_lines(entries)[0], database)
    )


def written(folder: Path, content: bytes, *entries: Entry) -> tuple[bytes, tuple[str, ...]]:
    path = folder / "hosts"
    path.write_bytes(content)
    outcome = sync(path, entries, OURS)
    return path.read_bytes(), outcome.warnings


# ── what stands in it ────────────────────────────────────────────────────────────────────────


def test_a_line_a_host_sorted_by_address_as_a_number(tmp_path: Path) -> None:
    content, warnings = written(tmp_path, b"127.0.0.1\tlocalhost\n", WEB, DB)
    assert content.decode() == (
        "127.0.0.1\tlocalhost\n" + HEAD + "10.0.4.3\tdb01\n"
        "10.0.4.21\tweb01.example.com web01\n# END DIAKEN\n"
    )
    assert warnings == ()


@settings(deadline=None)
@given(ENTRIES)
def test_every_host_has_its_line_and_no_name_stands_twice(entries: list[Entry]) -> None:
    lines, warnings = block_lines(entries)
    assert {(line.address, line.names[0]) for line in lines} == {
        (entry.address, entry.name) for entry in entries
    }
    addresses = [IPv4Address(line.address) for line in lines]
    assert addresses == sorted(addresses)
    names = [name for line in lines for name in line.names]
    assert len(names) == len(set(names))
    dotted = sum("." in entry.name for entry in entries)
    assert len(names) + len(warnings) == len(entries) + dotted


def test_a_short_name_that_two_hosts_have_is_the_first_ones(tmp_path: Path) -> None:
    a, b = Entry("10.0.0.10", "web01.a"), Entry("10.0.0.9", "web01.b")
    content, warnings = written(tmp_path, b"", a, b)
    assert b"\n10.0.0.9\tweb01.b web01\n10.0.0.10\tweb01.a\n" in content
    assert warnings == ("web01.a gets no short name: web01 is taken by web01.b",)


def test_a_host_without_a_domain_has_its_name_for_itself(tmp_path: Path) -> None:
    content, warnings = written(
        tmp_path, b"", Entry("10.0.0.1", "Web01.a"), Entry("10.0.0.2", "web01")
    )
    assert b"\n10.0.0.1\tWeb01.a\n10.0.0.2\tweb01\n" in content
    assert warnings == ("Web01.a gets no short name: Web01 is taken by web01",)


# ── what stands outside ──────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(OUTSIDE, OUTSIDE, ENTRIES, ENTRIES)
def test_not_a_byte_outside_the_block_changes(
    above: bytes, below: bytes, entries: list[Entry], later: list[Entry]
) -> None:
    above = above + b"\n" if above and not above.endswith(b"\n") else above
    content = above + with_block(b"", entries) + below
    changed = with_block(content, later)
    assert changed == above + with_block(b"", later) + below
    assert with_block(changed, later) == changed
    assert with_block(changed, entries) == content


@settings(deadline=None)
@given(OUTSIDE, ENTRIES)
def test_a_new_block_comes_last_on_a_line_of_its_own(outside: bytes, entries: list[Entry]) -> None:
    content = with_block(outside, entries)
    block = find_block(content, WHERE)
    assert block is not None
    assert block.end == len(content)
    gap = content[len(outside) : block.start]
    assert content[: len(outside)] == outside
    assert gap in ((b"",) if not outside or outside.endswith(b"\n") else (b"\n", b"\r\n"))


def test_line_ends_are_the_files_own(tmp_path: Path) -> None:
    content, _ = written(tmp_path, b"127.0.0.1 localhost\r\n", DB)
    assert content.count(b"\r\n") == content.count(b"\n") == 5
    again, _ = written(tmp_path, content, DB, WEB)
    assert again.count(b"\r\n") == again.count(b"\n") == 6
    mixed, _ = written(tmp_path, b"127.0.0.1 localhost\r\n10.0.0.1 one\n", DB)
    assert mixed.count(b"\r\n") == 1


def test_a_file_that_ends_with_the_marker_goes_on_doing_so(tmp_path: Path) -> None:
    content, _ = written(tmp_path, b"# BEGIN DIAKEN\n# END DIAKEN", DB)
    assert content.decode() == HEAD + "10.0.4.3\tdb01\n# END DIAKEN"


def test_bytes_that_are_no_text_stay_and_are_shown_escaped(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost # caf\xe9\xff\n")
    assert r" 127.0.0.1 localhost # caf\xe9\xff" in sync(path, [DB], OURS).diff
    assert path.read_bytes().startswith(b"127.0.0.1 localhost # caf\xe9\xff\n# BEGIN")


@pytest.mark.parametrize(
    ("outside", "said"),
    [
        (b"10.9.9.9 web01.example.com\n", "web01.example.com"),
        (b"10.9.9.9 other WEB01 # x\n", "WEB01"),
        (b"::1 web01\r\n", "web01"),
        (b"10.0.4.21 web01\n", None),
        (b"2001:db8::1 web01\n", None),
        (b"# 10.9.9.9 web01\n10.9.9.9 web011 # web01\n\n10.9.9.9\n", None),
    ],
)
def test_a_name_that_also_stands_outside_is_warned_of(
    tmp_path: Path, outside: bytes, said: str | None
) -> None:
    for content in (outside, with_block(b"", [WEB]) + outside):
        _, warnings = written(tmp_path, content, WEB)
        if said is None:
            assert warnings == ()
        else:
            address = outside.split()[0].decode()
            (warning,) = warnings
            assert warning.startswith(f"{said} is also outside diaken's block, as {address} ")
            assert "(inside: 10.0.4.21)" in warning


# ── markers, owners, emptying ────────────────────────────────────────────────────────────────

B, E = "# BEGIN DIAKEN", "# END DIAKEN"


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ((B,), "line 1"),
        (("x", E), "line 2"),
        ((E, B), "lines 1, 2"),
        ((B, B, E), "lines 1, 2, 3"),
        ((B, E, "x", E), "lines 1, 2, 4"),
        ((B, B, E, E), "lines 1, 2, 3, 4"),
        ((B, E, B, E), "lines 1, 2, 3, 4"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_markers_that_do_not_match_are_refused_by_line(
    tmp_path: Path, lines: tuple[str, ...], numbers: str, end: str
) -> None:
    path = tmp_path / "hosts"
    content = end.join((*lines, "")).encode()
    path.write_bytes(content)
    for force in (False, True):
        with pytest.raises(Conflict, match=re.escape(f"{path} don't match ({numbers})")) as caught:
            sync(path, [WEB], OURS, force=force)
        assert caught.value.code == "unbalanced_markers"
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", ["# BEGIN DIAKEN-LAB", "## BEGIN DIAKEN", "x # END DIAKEN"])
def test_what_only_looks_like_a_marker_is_none(line: str) -> None:
    assert find_block(f"{line}\n".encode(), WHERE) is None
    assert find_block(f"x\r{B}\n".encode(), WHERE) is None  # the resolver sees one line there


def test_another_databases_block_is_taken_over_by_force_alone(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    theirs = with_block(b"127.0.0.1 localhost\n", [DB], "a11e")
    path.write_bytes(theirs)
    with pytest.raises(Conflict, match=r"another database \(a11e\)") as caught:
        sync(path, [WEB], OURS)
    assert caught.value.code == "foreign_block"
    would = sync(path, [WEB], OURS, dry_run=True)
    assert would.refused is not None
    assert would.refused.as_json() == caught.value.as_json()
    assert would.diff == sync(path, [WEB], OURS, dry_run=True, force=True).diff != ""
    assert path.read_bytes() == theirs
    assert sync(path, [WEB], OURS, force=True).changed
    assert path.read_bytes() == with_block(b"127.0.0.1 localhost\n", [WEB])


def test_markers_that_somebody_put_where_the_block_is_to_be_are_filled(tmp_path: Path) -> None:
    content, _ = written(tmp_path, f"1.1.1.1 one\n{B}\n{E}\n1.1.1.2 two\n".encode(), DB)
    assert content.decode() == f"1.1.1.1 one\n{HEAD}10.0.4.3\tdb01\n{E}\n1.1.1.2 two\n"


def test_a_block_with_hosts_is_emptied_where_that_is_not_protected(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    full, empty = with_block(b"", [DB, WEB]), with_block(b"", [])
    path.write_bytes(full)
    with pytest.raises(Conflict, match="has 2 hosts") as caught:
        sync(path, [], OURS, protect_emptying=True)
    assert (caught.value.code, path.read_bytes()) == ("would_empty", full)
    assert sync(path, [], OURS, protect_emptying=True, force=True).changed
    assert path.read_bytes() == empty
    assert not sync(path, [], OURS, protect_emptying=True).changed
    path.write_bytes(full)
    assert sync(path, [], OURS).changed
    assert path.read_bytes() == empty == f"{HEAD}{E}\n".encode()


# ── the difference ───────────────────────────────────────────────────────────────────────────


def sides(diff: str) -> tuple[bytes, bytes]:
    """What a diff of one hunk says that the file was and is to be, as diff(1) writes it."""
    sides = {" -": "", " +": ""}
    begun = ""
    for line in diff.split("\n")[3:-1]:
        for side, text in sides.items():
            if line[0] in side:
                sides[side] = text + line[1:] + "\n"
            elif line == r"\ No newline at end of file" and begun in side:
                sides[side] = text.removesuffix("\n")
        begun = line[0]
    return sides[" -"].encode(), sides[" +"].encode()


@pytest.mark.parametrize("before", ["", "127.0.0.1 localhost", "127.0.0.1 localhost\n", "é\r\n"])
def test_the_difference_is_the_whole_of_what_is_written(tmp_path: Path, before: str) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(before.encode())
    would = sync(path, [WEB, DB], OURS, dry_run=True)
    assert (would.changed, would.hosts, path.read_bytes()) == (True, 2, before.encode())
    assert would.diff.startswith(f"--- {path}\n+++ {path} (wanted)\n@@ ")
    assert sync(path, [WEB, DB], OURS).diff == would.diff
    assert sides(would.diff) == (before.encode(), path.read_bytes())
    assert sync(path, [WEB, DB], OURS).diff == ""
