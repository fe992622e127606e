"""`history report`: one page that a browser shows, whatever the run's words were."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.words import HostStatus, RunStatus, TaskResult
from tests.e2e.cli import Cli
from tests.seeding import begin, result

HOSTILE = '<img src=x onerror="document.title=1"></pre><script>1</script>&amp;'
BROWSER = (
    *(
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Page(HTMLParser):
    """How often a page has each element, and the addresses that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path)
    run = begin(cli.store, request={"snapshot": True})
    run.step(0, "playbook", detail=f"run update on web01, web02 {HOSTILE}")
    for number in range(3):
        run.say("web01", f"Task {number}", TaskResult.CHANGED, "changed: [web01]")
    run.say("web02", HOSTILE, TaskResult.FAILED, f"fatal: [web02] \x1b[31m{HOSTILE}")
    failed = result("web02", HostStatus.FAILED, HOSTILE, HOSTILE)
    hosts = [(result("web01", HostStatus.SUCCESS), None), (failed, None)]
    cli.store.recorder.finish_hosts(run.id, hosts)
    run.end(RunStatus.PARTIAL, {"code": "x", "message": HOSTILE, "hint": None})
    return cli


def test_the_page_is_whole_and_needs_nothing_else(cli: Cli) -> None:
    written = cli.json("history", "report", "1", "--html", "run.html")
    path = Path(written["path"])
    assert written == {"run": 1, "path": str(cli.folder / "run.html")}
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    page = Page(text)
    assert {"script", "img", "link", "iframe"} & page.count.keys() == set()
    assert page.addresses == []
    assert "url(" not in text
    assert "@import" not in text
    assert page.count["rect"] == 1 + 4
    for said in ("Run 1: update on web", "web01", "◐ partial", "✗ failed", "Task 2", "group web"):
        assert said in text
    assert text.count("\x1b") == 0


def test_a_browser_shows_it_and_runs_nothing_of_it(cli: Cli, tmp_path: Path) -> None:
    assert cli.run("history", "report", "1", "--html", "run.html").status == 0
    profile, picture = tmp_path / "profile", tmp_path / "page.png"
    address = (cli.folder / "run.html").as_uri()
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "check": True}
    options["env"] = cli.environment
    browser = [*BROWSER, f"--user-data-dir={profile}", "--window-size=1200,1600"]
    subprocess.run([*browser, f"--screenshot={picture}", address], **options)
    assert picture.stat().st_size > 20_000
    shown = subprocess.run([*browser, "--dump-dom", address], **options).stdout
    title = re.search(r"<title>(.*?)</title>", shown)
    assert title is not None
    assert title[1] == "Run 1: update on web"
    assert Page(shown).count["rect"] == 1 + 4
    assert "img" not in Page(shown).count


def test_it_can_go_to_standard_output(cli: Cli) -> None:
    done = cli.run("history", "report", "1", "--html", "-")
    assert done.out.startswith("<!doctype html>")
    assert done.out.endswith("</html>\n")


def test_a_file_that_is_there_is_replaced_and_one_that_cannot_be_written_is_said(cli: Cli) -> None:
    (cli.folder / "run.html").write_text("old")
    assert cli.run("history", "report", "1", "--html", "run.html").status == 0
    assert "old" not in (cli.folder / "run.html").read_text()[:3]
    error = cli.error(10, "history", "report", "1", "--html", "no/such/folder/run.html")
    assert "no/such/folder/run.html can't be written" in error["message"]
    assert sorted(each.name for each in cli.folder.glob("*.html")) == ["run.html"]


def test_a_symbolic_link_stays_one_and_what_it_leads_to_is_written(cli: Cli) -> None:
    (cli.folder / "site").mkdir()
    for target in ("site/latest.html", "site/new.html"):  # one that is there, one that is not yet
        link = cli.folder / "linked.html"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        (cli.folder / "site/latest.html").write_text("old")
        assert cli.run("history", "report", "1", "--html", "linked.html").status == 0
        assert link.is_symlink()
        assert (cli.folder / target).read_text().startswith("<!doctype html>")
    assert len(list((cli.folder / "site").iterdir())) == 2


def test_what_is_missing_is_said(cli: Cli) -> None:
    assert cli.mistakes(2, "history", "report", "1") == ["--html"]
    cli.error(11, "history", "report", "7", "--html", "run.html")
    assert not (cli.folder / "run.html").exists()
