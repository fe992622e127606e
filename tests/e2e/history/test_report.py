"""`history report`: one page that a browser shows, whatever the run's words were."""

import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.types import HostStatus, RunKind, RunStatus, TargetType, TaskResult
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
    run.hosts(result("web01", HostStatus.SUCCESS), failed)
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


def test_a_deploy_says_what_was_deployed_and_where(cli: Cli) -> None:
    asked: dict[str, Any] = {
        "name": "web09",
        "ip": "10.0.4.29",
        "prefix": 24,
        "environment": "PROD",
        "vcenter": "main",
        "cpus": 1,
    }
    asked |= {"dns": ["10.0.0.53", "10.0.0.54"], "gateway": "10.0.4.254", "template": "debian12"}
    run = begin(
        cli.store,
        RunKind.DEPLOY,
        "web09",
        target_type=TargetType.VM,
        playbook=None,
        request=asked,
    )
    chosen: dict[str, Any] = {
        "cluster_name": "<Compute>",
        "datastore_name": "fast-01",
        "folder_path": "/DC/vm",
    }
    chosen |= {"network_name": "VLAN 4", "template_path": "/DC/vm/debian12", "disk": 60 << 30}
    facts: dict[str, Any] = {"placement": {**chosen, "cpus": 1, "memory": 2 << 30}}
    run.step(0, "validate", facts=facts)
    run.step(1, "clone", seconds=75)
    run.end(RunStatus.SUCCESS)
    text = cli.run("history", "report", "2", "--html", "-").out
    about = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert about["started"] == "2024-11-24 03:00:00 UTC"
    for label, value in {
        "name": "web09",
        "address": "10.0.4.29/24, gateway 10.0.4.254",
        "DNS": "10.0.0.53, 10.0.0.54",
        "template": "/DC/vm/debian12",
        "hardware": "1 CPU, 2G memory, 60G disk",
        "vCenter": "main",
        "cluster": "&lt;Compute&gt;",
        "datastore": "fast-01",
        "folder": "/DC/vm",
        "network": "VLAN 4",
    }.items():
        assert about[label] == value, label
    assert "<td><span>1 min 15 s</span></td>" in text
    assert "hosts" not in text[text.index("<body>") :]
    there = cli.run("history", "report", "2", "--html", "-", env={"TZ": "Europe/Madrid"}).out
    assert "2024-11-24 04:00:00 CET (UTC+01:00)" in there


def test_one_is_one(cli: Cli) -> None:
    run = begin(cli.store)
    run.say("web01", "Task", TaskResult.OK, "ok: [web01]")
    run.hosts(result("web01", HostStatus.SUCCESS))
    run.end(RunStatus.SUCCESS)
    text = cli.run("history", "report", "2", "--html", "-").out
    assert "; 1 host: 1 success</p>" in text
    assert "web01: 1 result</summary>" in text
    assert (
        "; 2 hosts: 1 success, 1 failed</p>" in cli.run("history", "report", "1", "--html", "-").out
    )


WIDER = """<script>document.title = [...document.querySelectorAll("*")].filter(
  each => each.getBoundingClientRect().right > 700.5 || (each.clientWidth
    && each.scrollWidth > each.clientWidth + 1)).map(each => each.tagName).join() || "fits"
</script>"""


def test_nothing_is_cut_off_at_700_pixels(cli: Cli, tmp_path: Path) -> None:
    long = "application-server-frontend-01.emea.example.com"
    run = begin(cli.store, target=long, playbook="middleware/" + "certificates_" * 9)
    run.step(0, "snapshot", detail=f"of {long}, {'x' * 200}")
    run.say(long, "Task", TaskResult.FAILED, "y" * 300)
    failed = replace(result("web01", HostStatus.FAILED, "Task", "/" + "z" * 200), host=long)
    run.hosts(failed)
    run.end(RunStatus.FAILED, {"code": "x", "message": "w" * 200, "hint": None})
    text = cli.run("history", "report", "2", "--html", "-").out
    assert f">{long}</text>" in text, "in the picture, too, a name is whole"
    measured = tmp_path / "measured.html"
    measured.write_text(text.replace("</body>", f"{WIDER}</body>"))
    browser = [*BROWSER, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=700,1500"]
    shown = subprocess.run(
        [*browser, "--hide-scrollbars", "--dump-dom", measured.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=cli.environment,
    ).stdout
    assert re.findall(r"<title>(.*?)</title>", shown)[0] == "fits"


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
    assert sorted(path.name for path in cli.folder.glob("*.html")) == ["run.html"]


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
