"""Which hosts `--limit` means, and what it may not be."""

import pytest

from diaken_cli.services.ansible.limit import matching

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
    assert matching(pattern, HOSTS, ["empty"]) == meant


@pytest.mark.parametrize("pattern", ["", " ", "~(", "!", "@{}", "web01,@{}", "web01:@{}", "x, @{}"])
def test_no_file_and_nothing_malformed(
    pattern: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("limit") / "hosts.txt"
    file.write_text("web02\n")
    with pytest.raises(ValueError, match="must be a pattern of host and group names"):
        matching(pattern.format(file), HOSTS)
