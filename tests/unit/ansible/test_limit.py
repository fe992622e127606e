"""Which hosts `--limit` means, and what it may not be."""

import subprocess
import sys

import pytest

from diaken_cli.services.ansible.inventory import matching_hosts, unmatched_parts

HOSTS = {"web01": ("web",), "web02": ("web", "db"), "db01": (), "db02": ("db", "east")}


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("web01", {"web01"}),
        ("web", {"web01", "web02"}),
        ("web:&db", {"web02"}),
        ("web:!db", {"web01"}),
        ("db,east", {"web02", "db02"}),
        ("web:!empty", {"web01", "web02"}),
        ("web[1]", {"web02"}),
        ("web0*:!web02", {"web01"}),
        ("web02,db01", {"web02", "db01"}),
        ("~(web|db)01", {"web01", "db01"}),
        ("other", set()),
    ],
)
def test_a_pattern_is_ansible_s(pattern: str, meant: set[str]) -> None:
    assert matching_hosts(pattern, HOSTS, ["empty"]) == meant


@pytest.mark.parametrize("pattern", ["", " ", "~(", "!", "@{}", "web01,@{}", "web01:@{}", "x, @{}"])
def test_no_file_and_nothing_malformed(
    pattern: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("limit") / "hosts.txt"
    file.write_text("web02\n")
    with pytest.raises(ValueError, match="must be a pattern of host and group names"):
        matching_hosts(pattern.format(file), HOSTS)


def test_ansible_says_nothing_of_names_and_patterns() -> None:
    module = matching_hosts.__module__
    call = "matching_hosts('web-a:gone', {'x': ['web-a']})"
    code = f"from {module} import matching_hosts; {call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("web:!empty", []),
        ("web01,gone,db[0]", ["gone"]),
        ("web*:!lost:&lost:~x", ["lost", "~x"]),
    ],
)
def test_what_of_a_pattern_matches_nothing_is_known(pattern: str, parts: list[str]) -> None:
    assert unmatched_parts(pattern, HOSTS, ["empty"]) == parts
