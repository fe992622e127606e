"""The hosts file follows the inventory, by each command that changes it and by `hosts sync`."""

from tests.e2e.cli import HOSTS, Cli
from tests.e2e.places import add


def test_the_hosts_file_follows_every_change(places: Cli) -> None:
    add(places, "web01.example.com", "10.0.4.21")
    assert "\n10.0.4.21\tweb01.example.com web01\n" in places.hosts_file.read_text()
    done = places.run("hosts", "set", "web01.example.com", "--inactive")
    assert done.status == 0
    assert "its VM was not touched" in done.err
    assert "web01" not in places.hosts_file.read_text()
    both = ("hosts", "set", "web01.example.com", "--active", "--inactive", "--port", "0")
    assert places.mistakes(2, *both) == ["--inactive", "--port"]
    places.json("hosts", "set", "web01.example.com", "--active", "--ip", "10.0.4.22")
    assert "\n10.0.4.22\tweb01.example.com web01\n" in places.hosts_file.read_text()
    done = places.run("hosts", "remove", "web01.example.com", "--yes")
    assert "its VM was not touched" in done.err
    text = places.hosts_file.read_text()
    assert text.startswith(HOSTS)
    assert "web01" not in text


def test_sync_shows_the_difference_before_it_writes(places: Cli) -> None:
    add(places, "web01", "10.0.4.21")
    written = places.hosts_file.read_text()
    assert places.json("hosts", "sync")["changed"] is False
    places.hosts_file.write_text(HOSTS)
    would = places.json("hosts", "sync", "--dry-run")
    assert sorted(would) == ["changed", "diff", "dry_run", "hosts", "path"]
    assert (would["dry_run"], would["changed"], would["hosts"]) == (True, True, 1)
    assert would["path"] == str(places.hosts_file)
    assert "\n+10.0.4.21\tweb01\n" in would["diff"]
    assert places.run("hosts", "sync", "--dry-run").out == would["diff"]
    assert places.hosts_file.read_text() == HOSTS
    assert places.json("hosts", "sync")["changed"] is True
    assert places.hosts_file.read_text() == written


def test_sync_writes_another_file_and_protects_a_block(places: Cli) -> None:
    other = places.folder / "other"
    other.write_text("# BEGIN DIAKEN\n# database 7c1e; x\n10.9.9.9\tx\n# END DIAKEN\n")
    call = ("hosts", "sync", "--path", "other")
    assert places.error(12, *call)["code"] == "foreign_block"
    assert "10.9.9.9" in other.read_text()
    assert places.json(*call, "--yes")["changed"] is True
    assert "10.9.9.9" not in other.read_text()
    own = other.read_text().replace("# END", "10.9.9.9\tx\n# END")
    other.write_text(own)
    assert places.error(12, *call)["code"] == "would_empty"
    assert other.read_text() == own


def test_a_hosts_file_that_is_turned_off_stays_as_it_is(places: Cli) -> None:
    places.configure(hosts_file="enabled = false")
    places.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    assert places.json("hosts", "sync")["changed"] is False
    assert places.hosts_file.read_text() == HOSTS


def test_a_hosts_file_that_cannot_be_written_is_a_warning_but_for_sync(places: Cli) -> None:
    places.hosts_file.unlink()
    places.hosts_file.mkdir()
    done = places.run(
        "hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD", "--json"
    )
    assert done.status == 0
    assert done.err.count("warning: ") == 1
    assert places.error(10, "hosts", "sync")["code"] == "permission"
