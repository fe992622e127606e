"""What the doctor says of SSH keys and known hosts."""

import subprocess
from pathlib import Path

from diaken_cli.actions.doctor import Finding, Health, services
from tests.integration.doctor.findings import only, told


def test_keys(tmp_path: Path) -> None:
    def look(*, has_agent: bool = False) -> list[Finding]:
        return [services.check_key(key, has_agent=has_agent)]

    def make(passphrase: str) -> None:
        key.unlink(missing_ok=True)
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)]
        subprocess.run(keygen, check=True, timeout=30)

    key = tmp_path / "key"
    assert "No such file" in told(look())
    make("a passphrase")
    assert told(look()).startswith("problem: has a passphrase")
    assert told(look(has_agent=True)).startswith("warning: has a passphrase")
    make("")
    assert only(look()).status is Health.OK
    key.chmod(0o640)
    assert f"(mode 0640): ssh refuses such a key | chmod 600 {key}" in told(look())
    key.chmod(0o600)
    key.write_text("no key\n")
    assert "is not a private key" in told(look())
    key.unlink()
    key.mkdir()
    assert "can't be read" in told(look())


def test_known_hosts(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    assert only(services.check_known_hosts(file)).status is Health.OK
    file.write_text("\n")
    assert only(services.check_known_hosts(file)).status is Health.OK
    file.write_text("this is no key\n")
    assert f"mv {file} {file}.damaged" in told(services.check_known_hosts(file))
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")],
        check=True,
        timeout=30,
    )
    file.write_text(f"10.0.0.1 {(tmp_path / 'key.pub').read_text()}")
    assert only(services.check_known_hosts(file)).text == "1 host key"
    file.unlink()
    file.mkdir()
    assert "not readable and writable" in told(services.check_known_hosts(file))
    assert "host keys are not remembered" in told(services.check_known_hosts(Path("/dev/null")))


def test_one_key_has_one_finding_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    """All of it is in one line, the worst decides, and each hint is a command."""
    folder = tmp_path / "keys"
    folder.mkdir()
    key = folder / "id"
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(keygen, check=True, timeout=30)
    key.chmod(0o666)
    found = services.check_key(key, has_agent=False)
    assert (found.status, found.text) == (
        Health.PROBLEM,
        "other accounts can read it (mode 0666): ssh refuses such a key",
    )
    assert found.hint == f"chmod 600 {key}"
    folder.chmod(0o777)
    found = services.check_key(key, has_agent=False)
    assert found.text.endswith(
        f"; others can change the key: {folder} is world-writable (mode 0777)"
    )
    assert found.hint == f"chmod 600 {key}; chmod go-w {folder}"
    subprocess.run(["sh", "-c", found.hint], check=True, timeout=30)
    assert services.check_key(key, has_agent=False).status is Health.OK
    folder.chmod(0o777)
    assert services.check_key(key, has_agent=False).status is Health.WARNING


def test_known_hosts_that_others_can_change_are_not_fine_as_well(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("\n")
    file.chmod(0o666)
    found = only(services.check_known_hosts(file))
    assert found.status is Health.WARNING
    assert found.hint == f"chmod go-w {file}"


def test_a_key_has_one_name() -> None:
    home = Path.home()
    names = [Path("~/.ssh/id"), home / ".ssh/id", home / ".ssh/../.ssh/id", Path("/other")]
    assert services.unique_keys(names) == [home / ".ssh/id", Path("/other")]
