"""What the doctor says of Ansible and of playbooks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diaken_cli.actions.doctor import Health, local_files
from tests.integration.doctor.findings import PLAY, only, told


def test_playbooks(tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text(PLAY + "  vars:\n    a: !vault x\n")
    assert "are readable YAML" in only(local_files.check_playbooks([tmp_path])).text
    (tmp_path / "wrong.yml").write_text(PLAY + "  vars: {a: [}\n")
    found = told(local_files.check_playbooks([tmp_path]))
    assert found.startswith("problem: is not YAML in line 3: ")
    assert found.endswith("diaken playbooks show wrong")
    (tmp_path / "wrong.yml").write_bytes(PLAY.encode() + b"  name: \xff\n")
    assert "is not YAML" in told(local_files.check_playbooks([tmp_path]))
    (tmp_path / "wrong.yml").unlink()
    assert "does not exist" in told(local_files.check_playbooks([tmp_path, tmp_path / "nowhere"]))
    assert "is not a folder" in told(local_files.check_playbooks([tmp_path / "secret.yml"]))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "echo 'ansible-playbook [core 2.9.27]'",
            "problem ansible-core 2.9.27 is too old; at least 2.16",
        ),
        ("echo 'ansible-playbook [core 2.21.0rc1]'", "ok ansible-core 2.21.0rc1"),
        ("echo 'ansible-playbook, somehow'", "problem does not report its version"),
        ("echo 'No module named ansible' >&2; exit 1", "does not run: No module named ansible"),
        (None, "problem ansible-playbook is neither in"),
    ],
)
def test_an_ansible_of_another_sort(tmp_path: Path, program: str | None, said: str) -> None:
    """Python is reached by a link: beside it there is another ansible-playbook, or none."""
    (tmp_path / "python").symlink_to(sys.executable)
    if program is not None:
        (tmp_path / "ansible-playbook").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "ansible-playbook").chmod(0o755)
    script = (
        f"import sys; sys.executable = {str(tmp_path / 'python')!r}\n"
        "from diaken_cli.actions.doctor.services import check_ansible\n"
        "for finding in check_ansible(): print(finding.status, finding.text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said in done.stdout


def test_what_is_no_file_among_the_playbooks_is_a_problem(tmp_path: Path) -> None:
    """No list has it, and no tick mark stands for it."""
    (tmp_path / "site.yml").write_text(PLAY)
    pipe = tmp_path / "pipe.yml"
    os.mkfifo(pipe)
    found = list(local_files.check_playbooks([tmp_path]))
    assert told(found) == (
        "problem: can't be read: it is a pipe, not a regular file"
        f" | Replace it with a file, or: rm {pipe}"
    )
    assert only(found).subject == str(pipe)
    pipe.unlink()
    pipe.symlink_to(tmp_path / "nowhere")
    assert told(local_files.check_playbooks([tmp_path])).startswith("warning: can't be read: No")
    pipe.unlink()
    assert only(local_files.check_playbooks([tmp_path])).status is Health.OK


def test_playbooks_that_were_not_looked_at_are_not_said_to_be_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yml").write_text(PLAY)
    monkeypatch.setattr(local_files, "PARSING_SECONDS", -1.0)
    assert "were not checked in time" in only(local_files.check_playbooks([tmp_path])).text
