"""The config file, the environment and the defaults: what is read, what goes before what."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import example as also_with
from hypothesis import strategies as some

from diaken_cli import tick
from diaken_cli.actions.configuring import overriding_database
from diaken_cli.config import Config, load, sources
from diaken_cli.config.sections import SECTIONS, Source, kinds
from diaken_cli.errors import AccessError, ConfigurationError
from diaken_cli.paths import PathBase

HOME = Path("/home/somebody")


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SYSTEM_FILE", tmp_path / "etc/diaken/config.toml")


def read(tmp_path: Path, text: str, **environ: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(file, {"HOME": str(HOME), **environ})


def refused(tmp_path: Path, text: str, **environ: str) -> list[str]:
    """The mistakes, a line each, without the name of the file."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text, **environ)
    assert caught.value.exit_status == 10
    lines = caught.value.message.splitlines()
    prefix = f"{tmp_path / 'config.toml'}: "
    assert all(line.startswith((prefix, "DIAKEN_")) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


# ── values ───────────────────────────────────────────────────────────────────────────────────


def test_without_anything_there_are_defaults() -> None:
    config = load(None, {"HOME": str(HOME), "XDG_DATA_HOME": "/data"})
    assert config.path is None
    assert config.database.path == Path("/data/diaken/diaken.db")
    assert (config.hosts_file.path, config.hosts_file.enabled) == (Path("/etc/hosts"), True)
    assert (config.ssh.user, config.ssh.port, config.ssh.connect_timeout) == (None, 22, 10)
    assert (config.ansible.forks, config.ansible.pipelining) == (None, True)
    shown = {key: value for key, value, _source in config.values()}
    assert not config.deploy.for_environment(None)
    timeouts = [shown[f"deploy.{step}_timeout"] for step in ("clone", "ip", "ssh")]
    assert timeouts == ["30m", "10m", "5m"]
    assert (config.scheduler.misfire_grace, config.scheduler.max_running) == (3600, 10)
    assert config.snapshots.parallel_removals == 4
    assert not config.sources


def test_the_null_device_is_a_config_file_without_anything() -> None:
    null, home = Path("/dev/null"), {"HOME": str(HOME)}
    for config in (load(null, home), load(None, home | {"DIAKEN_CONFIG": str(null)})):
        assert config.path == null
        assert config.ssh == load(None, home).ssh
    assert tick.database_path(str(null), home) == tick.database_path(None, home)


def test_every_kind_of_value(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [playbooks]
        paths = ["playbooks", "/srv/playbooks", "~/playbooks"]
        [ssh]
        key = "~/.ssh/id_ed25519"
        port = 2222
        connect_timeout = "2m"
        extra_args = ["-o", "ProxyJump=bastion"]
        [ansible]
        become = true
        become_password_command = "pass show 'my sudo'"
        [deploy]
        dns = ["10.0.0.53"]
        memory = "8G"
        domain = "example.com"
        [scheduler]
        timezone = "Europe/Madrid"
        """,
    )
    assert config.path == tmp_path / "config.toml"
    assert config.playbooks.paths == (
        *(tmp_path / "playbooks", Path("/srv/playbooks"), HOME / "playbooks"),
    )
    assert config.ssh.key == HOME / ".ssh/id_ed25519"
    assert (config.ssh.port, config.ssh.connect_timeout) == (2222, 120)
    assert config.ssh.extra_args == ("-o", "ProxyJump=bastion")
    assert config.ansible.become_password_command == ("pass", "show", "my sudo")
    deploy = config.deploy.for_environment("TEST")
    assert (deploy["dns"], deploy["memory"], deploy["domain"]) == (
        ("10.0.0.53",),
        8 * 2**30,
        "example.com",
    )


def test_an_environment_overrides_key_by_key(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [deploy]
        network = "servers"
        cpus = 2
        [deploy.environments.PROD]
        network = "prod"
        """,
    )
    production = config.deploy.for_environment("PROD")
    assert (production["network"], production["cpus"]) == ("prod", 2)
    for other in (None, "TEST", "prod", ""):
        assert config.deploy.for_environment(other)["network"] == "servers"


# ── the environment ──────────────────────────────────────────────────────────────────────────


def test_a_variable_goes_before_the_file_and_that_before_the_default(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        '[ssh]\nuser = "file"\nport = 2222\n[deploy.environments.PROD]\nnetwork = "file"\ncpus = 3',
        DIAKEN_SSH_USER="variable",
        DIAKEN_DEPLOY_NETWORK="variable",
    )
    assert (config.ssh.user, config.ssh.port) == ("variable", 2222)
    production = config.deploy.for_environment("PROD")
    assert (production["network"], production["cpus"]) == ("variable", 3)
    sources = {key: source for key, _value, source in config.values()}
    assert sources["ssh.user"] is Source.ENVIRONMENT
    assert sources["ssh.port"] is Source.FILE
    assert sources["ssh.key"] is Source.DEFAULT
    assert sources["deploy.environments.PROD.cpus"] is Source.FILE


def test_variables_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(
        None,
        {
            "HOME": str(HOME),
            "DIAKEN_HOSTS_FILE_ENABLED": "No",
            "DIAKEN_PLAYBOOKS_PATHS": "/a:b:~/c",
            "DIAKEN_SSH_PORT": "2222",
            "DIAKEN_SSH_EXTRA_ARGS": "-o 'ProxyCommand=nc %h %p'",
            "DIAKEN_ANSIBLE_BECOME_PASSWORD_COMMAND": "pass show sudo",
            "DIAKEN_ANSIBLE_TIMEOUT": "90s",
            "DIAKEN_DEPLOY_DNS": "10.0.0.53, 10.0.1.53 10.0.2.53",
            "DIAKEN_DEPLOY_DISK": "60G",
        },
    )
    assert not config.hosts_file.enabled
    assert config.playbooks.paths == (Path("/a"), tmp_path / "b", HOME / "c")
    assert config.ssh.port == 2222
    assert config.ssh.extra_args == ("-o", "ProxyCommand=nc %h %p")
    assert config.ansible.become_password_command == ("pass", "show", "sudo")
    assert config.ansible.timeout == 90
    deploy = config.deploy.for_environment("PROD")
    assert deploy["dns"] == ("10.0.0.53", "10.0.1.53", "10.0.2.53")
    assert deploy["disk"] == 60 * 2**30


def test_an_empty_variable_is_not_set_and_other_variables_are_nobodys_business(
    tmp_path: Path,
) -> None:
    config = read(
        tmp_path,
        '[ssh]\nuser = "file"',
        DIAKEN_SSH_USER="",
        DIAKEN_RUN_LOCK="/run/lock",
        DIAKEN_PASSWORD="secret",
        DIAKENX="1",
    )
    assert config.ssh.user == "file"


def test_the_database(tmp_path: Path) -> None:
    text = '[database]\npath = "own.db"'
    assert read(tmp_path, text).database.path == tmp_path / "own.db"
    assert read(tmp_path, text, DIAKEN_DATABASE_PATH="/a.db").database.path == Path("/a.db")
    both = read(tmp_path, text, DIAKEN_DATABASE_PATH="/a.db", DIAKEN_DATABASE="/b.db")
    assert both.database.path == Path("/b.db")
    assert both.sources["database.path"] is Source.ENVIRONMENT


def test_root_has_its_database_in_var_lib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert load(None, {"HOME": "/x"}).database.path == Path("/var/lib/diaken/diaken.db")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert load(None, {"HOME": "/x"}).database.path == Path("/x/.local/share/diaken/diaken.db")


# ── which file ───────────────────────────────────────────────────────────────────────────────


def test_the_first_file_there_is_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(HOME), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    named, variable = tmp_path / "named.toml", tmp_path / "variable.toml"
    candidates = [sources.SYSTEM_FILE, tmp_path / "xdg/diaken/config.toml"]
    for path in candidates:
        path.parent.mkdir(parents=True)
        path.touch()
        assert load(None, environ).path == path
    variable.touch()
    assert load(None, environ | {"DIAKEN_CONFIG": "variable.toml"}).path == variable
    named.touch()
    assert load(Path("named.toml"), environ | {"DIAKEN_CONFIG": str(variable)}).path == named


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    for explicit, environ in ((missing, {}), (None, {"DIAKEN_CONFIG": str(missing)})):
        with pytest.raises(ConfigurationError, match=f"{missing} does not exist") as caught:
            load(explicit, {"HOME": str(HOME), **environ})
        assert caught.value.hint is not None


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "config.toml"
    file.touch(0o600)
    file.chmod(0)
    with as_nobody(), pytest.raises(AccessError, match=re.escape(f"{file} can't be read: Perm")):
        load(file, {"HOME": str(HOME)})


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything: be somebody else meanwhile."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_is_no_toml(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for content, said in {
        b"[ssh]\nport = \n": "not valid TOML: .*line 2",
        b"[ssh]\nport = 1\nport = 2\n": "not valid TOML: .*line 3",
        b'[ssh]\nuser = "\xff"\n': "not valid UTF-8",
        b"[ssh]\nport = " + b"9" * 5000: "not valid TOML",
        b"a = " + b"[" * 100_000: "not valid TOML",
        b"[ssh]\n" + b".".join([b"a"] * 20_000) + b" = 1\n": "line 2 has a key with too many parts",
        b"#" * 600_000: "it is larger than 512K",
    }.items():
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=said) as caught:
            load(file, {"HOME": str(HOME)})
        assert str(file) in caught.value.message
    with pytest.raises(ConfigurationError, match="it is a folder, not a regular file"):
        load(tmp_path, {"HOME": str(HOME)})


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = """
        scheduler = 3
        [databse]
        path = "x"
        [ssh]
        port = "22"
        prot = 22
        [deploy]
        memory = 8
        [deploy.environments.PROD]
        cpus = 0
        [deploy.environments.all]
        """
    found = refused(tmp_path, text, DIAKEN_SSH_USRE="secret", DIAKEN_SSH_PORT="x")
    assert found == [
        "scheduler must be a table: [scheduler]",
        "unknown section [databse]; did you mean database?",
        "[ssh] port: '22' is not a whole number, 1 to 65535",
        "[ssh]: unknown key prot; did you mean port?",
        '[deploy] memory: 8 is not a size, such as "512M", "8G" or "8 GiB"',
        "[deploy.environments.PROD] cpus: 0 is not a whole number, 1 or more",
        "[deploy.environments.all]: 'all' is a reserved name (all, ungrouped, localhost)",
        "DIAKEN_SSH_PORT: 'x' is not a whole number, 1 to 65535",
        "DIAKEN_SSH_USRE: unknown key; did you mean DIAKEN_SSH_USER?",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[database]\npath = 1", "1 is not a path"),
        ('[database]\npath = ""', "'' is not a path"),
        ('[database]\npath = "~root/x"', "only ~/ is supported"),
        ('[database]\npath = "a\\u0000b"', "is not a path"),
        ('[hosts_file]\nenabled = "yes"', "'yes' is not true or false"),
        ("[hosts_file]\nenabled = 1", "1 is not true or false"),
        ('[playbooks]\npaths = "x"', "'x' is not a list of paths"),
        ("[playbooks]\npaths = [1]", "1 is not a path"),
        ("[ssh]\nuser = true", "true is not a string of one line"),
        ('[ssh]\nuser = "a\\nb"', "is not the name of an account"),
        ('[ssh]\nuser = "-oProxyCommand=x"', "'-oProxyCommand=x' is not the name of an account"),
        ('[ssh]\npython = "{{evil}}"', "'{{evil}}' is not an absolute path on the host, or auto"),
        ("[ssh]\nport = true", "true is not a whole number, 1 to 65535"),
        ("[ssh]\nport = 22.0", "22.0 is not a whole number"),
        ("[ssh]\nport = 0", "0 is not a whole number, 1 to 65535"),
        ("[ssh]\nconnect_timeout = 10", "10 is not a duration, such as"),
        ('[ssh]\nconnect_timeout = "10"', "'10' is not a duration: a whole number and"),
        ("[ssh]\nextra_args = [1]", "this list is not a command, such as"),
        ('[ssh]\nextra_args = "\'"', "can't be split into words"),
        ("[ssh]\nkey = {}", "a table is not a path"),
        ('[deploy]\ngateway = "10.0.0"', "'10.0.0' is not an IPv4 address, such as"),
        ('[deploy]\ndns = "10.0.0.53"', "is not a list of IPv4 addresses"),
        ('[deploy]\ndns = ["x"]', "'x' is not an IPv4 address"),
        ('[deploy]\ndomain = "a b"', "'a b' is not a domain"),
        ("[deploy]\ncpus = -1", "-1 is not a whole number, 1 or more"),
        ('[scheduler]\ntimezone = "Mars/Base"', "'Mars/Base' is not a time zone, such as"),
        ('[scheduler]\ntimezone = "Europe"', "'Europe' is not a time zone"),
        ('[scheduler]\ntimezone = "/etc/localtime"', "is not a time zone"),
        ("[scheduler]\ntimezone = 2026-11-24", "2026-11-24 is not a time zone"),
        ("[deploy.environments]\nPROD = 1", "deploy.environments.PROD must be a table"),
        ("[deploy]\nenvironments = []", "deploy.environments must be a table"),
        ("[ssh]\nenvironments = {}", "[ssh]: unknown key environments; known: user, key"),
        ("ssh_user = 1", "unknown section [ssh_user]"),
    ],
)
def test_a_mistake_says_what_is_wrong_and_what_would_be_right(
    tmp_path: Path, text: str, said: str
) -> None:
    (line,) = refused(tmp_path, text)
    assert said in line


def test_the_value_of_an_unknown_variable_is_not_shown(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "", DIAKEN_ANSIBLE_BECOME_PASS="s3cret")
    assert "s3cret" not in line


plain = some.one_of(
    some.none(), some.booleans(), some.integers(), some.text(max_size=20), some.floats()
)
anything = some.recursive(
    plain, lambda each: some.lists(each) | some.dictionaries(some.text(), each)
)


@given(value=anything, text=some.text(min_size=1, max_size=30))
@also_with(value=None, text=".")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_gets_past_with_anything_but_a_sentence(value: Any, text: str) -> None:
    base = PathBase(HOME)
    for section in SECTIONS:
        for kind in kinds(section).values():
            for given_value in (value, text):
                try:
                    kind.show(kind.read(given_value, base))
                except ValueError as fault:
                    assert str(fault)  # noqa: PT017
            try:
                kind.parse(text, base)
            except ValueError as fault:
                assert str(fault)  # noqa: PT017


def test_a_variable_goes_before_the_file_where_it_names_another_database() -> None:
    named = {"DIAKEN_DATABASE": "/srv/a/../d.db"}
    assert overriding_database("/srv/other.db", named) == ("DIAKEN_DATABASE", "/srv/d.db")
    for same in ("/srv/d.db", "/srv/a/../d.db"):
        assert overriding_database(same, named) is None
    assert overriding_database("/srv/d.db", {}) is None
