"""What people write, read and refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from diaken_cli import units
from diaken_cli.render import formatting
from diaken_cli.render.inventory import browsed_columns


@pytest.mark.parametrize("text", ["PROD", "web", "a", "0", "web-01", "x" * 63, "2024"])
def test_labels(text: str) -> None:
    assert units.check_label(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "-web", "web-", "web_1", "a.b", "a b", "x" * 64, "über", "web\n", "w٣b"),
        *("all", "ALL", "Ungrouped", "localhost", "LocalHost"),
    ],
)
def test_what_is_not_a_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a name: letters|is a reserved name"):
        units.check_label(text)


@pytest.mark.parametrize("text", ["web", "kube_node", "app-servers", "_x", "Web-", "x" * 253])
def test_group_names(text: str) -> None:
    assert units.check_group_name(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "-web", "3tier", "a.b", "a b", "a:b", "x" * 254, "über", "web\n", "w٣b", "!web"),
        *("all", "ALL", "Ungrouped", "localhost"),
    ],
)
def test_what_is_not_a_group_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a group name: a letter or _|is a reserved name"):
        units.check_group_name(text)


DNS_NAMES = ["web01", "web01.example.com", "3com", "10-0-4-21", "web.all", "all.example.com"]


@pytest.mark.parametrize("text", [*DNS_NAMES, "web_05", "_db.lan", "web-", "10.0.4.21"])
def test_host_names(text: str) -> None:
    assert units.check_host_name(text) == text


@pytest.mark.parametrize("text", DNS_NAMES)
def test_names_of_new_machines(text: str) -> None:
    assert units.check_dns_host_name(text) == text


@pytest.mark.parametrize("text", ["web_05", "web-", "10.0.4.21", "10.1", "localhost", "a" * 64])
def test_what_cannot_be_the_name_of_a_new_machine_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a host name|is a reserved name"):
        units.check_dns_host_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "web01.",
            ".web01",
            "web..x",
            "-web",
            "web:22",
            "wéb",
            "web01\n",
            f"{'x' * 62}." * 4 + "y" * 9,
        ),
        *("10.0.4", "1234", "10.0.04.21", "localhost", "ALL", "localhost.localdomain"),
    ],
)
def test_what_is_not_a_host_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a host name: |is a reserved name"):
        units.check_host_name(text)


@pytest.mark.parametrize("text", ["127.0.0.1", "0.1.2.3", "224.0.0.1", "255.255.255.255"])
def test_the_address_of_no_machine_names_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"not the address of one machine"):
        units.check_host_name(text)


def test_domains() -> None:
    assert units.check_domain("example.com") == "example.com"
    assert units.check_domain("lan") == "lan"
    for text in ("", "example.com.", "exa mple.com", ".com", "-a.com", "a." * 130 + "b"):
        with pytest.raises(ValueError, match=r"is not a domain: .*example.com"):
            units.check_domain(text)


@pytest.mark.parametrize("text", ["10.0.4.21", "192.0.2.255", "169.254.1.1", "223.255.255.254"])
def test_addresses(text: str) -> None:
    assert units.check_ipv4(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an IPv4 address, such as"),
        ("10.0.4", "is not an IPv4 address, such as"),
        ("10.0.04.21", "is not an IPv4 address, such as"),
        ("10.0.4.256", "is not an IPv4 address, such as"),
        (" 10.0.4.21", "is not an IPv4 address, such as"),
        ("10.0.4.21/24", "is not an IPv4 address, such as"),
        ("::1", "is not an IPv4 address, such as"),
        ("١٠.0.4.21", "is not an IPv4 address, such as"),
        ("0.0.0.0", "is in 0.0.0.0/8"),  # noqa: S104
        ("0.1.2.3", "is in 0.0.0.0/8"),
        ("127.0.0.1", "is a loopback address"),
        ("224.0.0.1", "is a multicast address"),
        ("255.255.255.255", "is the broadcast address"),
    ],
)
def test_what_is_not_the_address_of_a_machine_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        units.check_ipv4(text)


def test_interfaces() -> None:
    interface = units.parse_interface("10.0.4.21/24")
    assert (str(interface.ip), str(interface.network)) == ("10.0.4.21", "10.0.4.0/24")
    assert units.parse_interface("10.0.4.21/32").network.prefixlen == 32


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.4.21", "10.0.4.21/", "10.0.4.21/0", "10.0.4.21/33", "10.0.4.21/024"),
        *("10.0.4.21/255.255.255.0", "10.0.4/24", "127.0.0.1/8", "10.0.4.21/24/24", "/24"),
    ],
)
def test_what_is_not_an_interface_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"10.0.4.21|127.0.0.1 is a loopback"):
        units.parse_interface(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("1K", 1024), ("512M", 512 * 2**20), ("8G", 8 * 2**30), ("1T", 2**40), ("1024T", 2**50)),
        *(("8Gi", 8 * 2**30), ("8GiB", 8 * 2**30), ("8 GiB", 8 * 2**30), ("1 GiB", 2**30)),
        *(("2Gi", 2 * 2**30), ("512 MiB", 512 * 2**20), ("8 G", 8 * 2**30)),
        *(("1.5 GiB", 1536 * 2**20), ("0.5G", 512 * 2**20)),
    ],
)
def test_sizes_are_binary(text: str, size: int) -> None:
    assert units.parse_size(text) == size


def test_sizes_are_said_in_the_largest_unit_that_is_exact() -> None:
    assert units.format_size(1536 * 2**20) == "1536M"
    assert units.format_size(2**43) == "8T"
    assert units.format_size(1000) == "1000 bytes"
    assert units.format_size(0) == "0 bytes"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604800)),
        *(("1 min 30 s", 90), ("3 min 05 s", 185), ("2 h 10 min", 7800), ("1h30m", 5400)),
        *(("1d 2h", 93600), ("45 s", 45), ("30min", 1800)),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert units.parse_duration(text) == seconds


def test_durations_are_said_in_the_largest_unit_that_is_exact() -> None:
    assert units.format_duration(90) == "90s"
    assert units.format_duration(3600) == "1h"
    assert units.format_duration(0) == "0s"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "0 s"), (45, "45 s"), (185, "3 min 5 s"), (3600, "1 h"), (4200, "1 h 10 min")),
        *((3605, "1 h"), (93784, "1 d 2 h"), (259320, "3 d")),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert units.duration_in_words(seconds) == said


@pytest.mark.parametrize("parse", [units.parse_size, units.parse_duration])
@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "8",
            "0",
            "0G",
            "-1G",
            "-1h",
            "1.5",
            "1.5h",
            "8GB",
            "8g",
            "8gib",
            "8  GiB",
        ),
        *("2H", "1w", "٣m", "30m 2h", "1h 1h", "90 sec", "1.25G", " 8G", "8G ", "8i", "8B"),
    ],
)
def test_a_bare_number_and_other_units_are_refused(parse: Callable[[str], int], text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (size|duration): a (whole )?number and "):
        parse(text)


def test_a_size_is_a_whole_number_of_bytes() -> None:
    with pytest.raises(ValueError, match="use a smaller unit"):
        units.parse_size("0.1G")


def test_durations_and_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 3650d"):
        units.parse_duration("999999999999999999d")
    with pytest.raises(ValueError, match="at most 1024T"):
        units.parse_size("1025T")
    with pytest.raises(ValueError, match="is not a size"):
        units.parse_size("9" * 5000 + "G")


@given(some.integers(1, units.LONGEST_DURATION))
def test_a_duration_is_read_as_it_was_written(seconds: int) -> None:
    assert units.parse_duration(units.format_duration(seconds)) == seconds


@given(some.integers(1, units.LARGEST_SIZE // 1024))
def test_a_size_is_read_as_it_was_written(kilobytes: int) -> None:
    assert units.parse_size(units.format_size(kilobytes * 1024)) == kilobytes * 1024


@given(some.integers(1, 10 * 24 * 3600))
def test_a_duration_is_read_as_it_is_shown(seconds: int) -> None:
    shown = formatting.format_seconds(seconds) if seconds >= 60 else f"{seconds} s"
    unit = 60 if seconds >= 3600 else 1
    assert abs(units.parse_duration(shown) - seconds) < unit


@given(some.integers(1, 1000).map(lambda tenths: tenths * 512 * 2**20))
def test_a_size_is_read_as_a_table_shows_it(size: int) -> None:
    shown = browsed_columns({"memory": 0})["MEMORY"]({"memory": size})
    assert units.parse_size(shown) == size


@given(some.text(max_size=70))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    for read in (
        *(units.check_label, units.check_group_name, units.check_host_name),
        *(units.check_dns_host_name, units.check_domain, units.check_ipv4),
        *(units.parse_interface, units.parse_size, units.parse_duration),
    ):
        try:
            read(text)
        except ValueError as fault:
            assert len(str(fault)) > 20  # noqa: PT017


def test_one_cpu_is_no_cpus() -> None:
    assert [units.format_cpus(count) for count in (1, 2)] == ["1 CPU", "2 CPUs"]


UNDEFINED = (
    "Task failed: Finalization of task args for 'ansible.builtin.debug' failed: Error while"
    " resolving value for 'msg': 'nosuchvariable' is undefined"
)


def test_the_nearest_names_are_found_whatever_their_case() -> None:
    assert units.nearest_names("prod", ["PROD", "TEST"]) == "PROD"
    assert units.nearest_names("Nigth", ["Nightly facts", "Night"]) == "Night"
    assert units.nearest_names("NONE", ["PROD", "TEST"]) == ""
    assert units.nearest_names("PROD", []) == ""


def test_of_names_that_are_as_near_the_first_ones_are_told_in_the_order_that_people_count() -> None:
    webs = [f"web{number}" for number in (11, 3, 2, 10)]
    assert units.nearest_names("web99", webs) == "web2, web3 or web10"
    assert units.nearest_names("web99", [*webs, "web98"]) == "web98, web2 or web3"
    assert units.nearest_names("web99", ["web03", "web01"]) == "web01 or web03"
    assert units.nearest_names("web99", webs, most=1) == "web2"


def test_a_text_is_shortened_in_its_middle_between_words() -> None:
    said = units.shortened(UNDEFINED, 100)
    assert len(said) <= 100
    assert said == (
        "Task failed: Finalization of …"
        " while resolving value for 'msg': 'nosuchvariable' is undefined"
    )
    assert units.shortened(UNDEFINED, 100, "...").isascii()
    assert units.shortened("short", 5) == "short"
    assert units.shortened("x" * 30 + " y", 12) == "xxx … xxxx y", "no word fits"


@given(some.text(some.characters(exclude_characters="…")), some.integers(12, 60))
def test_a_shortened_text_has_its_beginning_and_its_end(text: str, most: int) -> None:
    said = units.shortened(text, most)
    assert len(said) <= most
    if said != text:
        begin, end = said.split(" … ")
        assert text.strip().startswith(begin)
        assert text.strip().endswith(end)


@pytest.mark.parametrize("text", ["0s", "0m", "0 h 0 min"])
def test_a_duration_is_more_than_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        units.parse_duration(text)
