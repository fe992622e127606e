"""What `-e` may say: read as ansible-playbook reads it, refused where it would repoint hosts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diaken_cli.services.ansible.extra_variables import check_names, extra_variables
from diaken_cli.types import CONNECTION_VARIABLES

NOWHERE = Path("/nonexistent")


def read(*said: str) -> tuple[Mapping[str, Any] | Path, ...]:
    return extra_variables(said, NOWHERE)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("a=1", {"a": "1"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=two words", {"a": "two words"}),
        ("a='two words'", {"a": "two words"}),
        ('a="x=1 y=2"', {"a": "x=1 y=2"}),
        ("a='", {"a": "'"}),
        ("a='b\"", {"a": "'b\""}),
        ("a=größer", {"a": "größer"}),
        ('{"a": 1, "b": [true, null]}', {"a": 1, "b": [True, None]}),
        (' {"a": "1"}', {"a": "1"}),
        ("{a: yes}", {"a": True}),
        ("{}", {}),
    ],
)
def test_a_value_is_read(said: str, meant: dict[str, Any]) -> None:
    assert read(said) == (meant,)


@given(
    name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
        lambda name: name not in CONNECTION_VARIABLES
    ),
    value=st.text(alphabet=st.characters(exclude_characters="='\"", exclude_categories=["Cs"])),
)
def test_any_value_without_signs_comes_through_as_it_is(name: str, value: str) -> None:
    assert read(f"{name}={value}") == ({name: value},)


def test_the_order_stays() -> None:
    assert read("a=1", '{"a": 2}', "a=3") == ({"a": "1"}, {"a": 2}, {"a": "3"})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "'' is neither K=V nor @FILE"),
        ("word", "'word' is neither K=V nor @FILE"),
        ("=1", "'' is not a variable name"),
        ("a-b=1", "'a-b' is not a variable name"),
        ("1a=1", "'1a' is not a variable name"),
        ("ä=1", "'ä' is not a variable name"),
        ("a\n=1", "is not a variable name"),
        ("a=1 b=2", "the value of a looks like more variables: give each its own -e, or quote it"),
        ("{a: [}", "what stands in {…} is neither YAML nor JSON"),
        ('{"a-b": 1}', "'a-b' is not a variable name"),
        ("{1: 2}", "1 is not a variable name"),
        ("@~no-such-account/x.yml", "'~no-such-account/x.yml': no such account"),
        ("@absent.yml", "/nonexistent/absent.yml can't be read: No such file or directory"),
    ],
)
def test_what_is_malformed_is_named(said: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        read(said)
    assert message in str(raised.value)


def test_the_older_names_repoint_too() -> None:
    assert {"ansible_ssh_host", "ansible_ssh_port"} < set(CONNECTION_VARIABLES)


@pytest.mark.parametrize("name", CONNECTION_VARIABLES)
@pytest.mark.parametrize("form", ["{}=10.0.0.1", '{{"{}": "10.0.0.1"}}', "@"])
def test_what_would_repoint_every_host_is_refused(tmp_path: Path, name: str, form: str) -> None:
    said = form.format(name)
    if form == "@":
        _written(tmp_path, f"harmless: 1\n{name}: 10.0.0.1\n")
        said = "@given.yml"

    with pytest.raises(ValueError, match=f"{name} would redirect every host"):
        extra_variables([said], tmp_path)
    with pytest.raises(ValueError, match="set it on the host instead"):
        check_names([name])


def test_a_file_stays_a_path_and_is_looked_into(tmp_path: Path) -> None:
    path = _written(tmp_path, "a: 1\nsecret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3031\n")

    assert extra_variables(["@given.yml"], tmp_path) == (path,)
    assert extra_variables([f"@{path}"], NOWHERE) == (path,)


def test_a_file_in_the_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = _written(tmp_path, "a: 1\n")

    assert extra_variables(["@~/given.yml"], NOWHERE) == (path,)


def test_what_a_vault_encrypts_as_a_whole_is_left_to_ansible(tmp_path: Path) -> None:
    path = _written(tmp_path, "$ANSIBLE_VAULT;1.1;AES256\n30313233\n")

    assert extra_variables(["@given.yml"], tmp_path) == (path,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("password: [s3cret\n", "is neither YAML nor JSON: did not find expected"),
        ("- s3cret\n", "holds no variables: a mapping of names to values is expected"),
        ("s3cret\n", "holds no variables"),
        ("", "holds no variables"),
        ("a: *s3cret\n", "is neither YAML nor JSON"),
        ("a: 1\nb: s3cret\x01\n", "an invalid character in line 2"),
        ("a: !!s3cret 1\n", "is neither YAML nor JSON"),
        ("s3cret: 2026-13-45\n", "holds a value that is not valid YAML"),
        ("s3cret: " + "[" * 5000, "is neither YAML nor JSON"),
        ("a: !!bool s3cret\n", "holds a value that is not valid YAML"),
        ("s3cret: !!int ''\n", "holds a value that is not valid YAML"),
        ("a: !!timestamp s3cret\n", "holds a value that is not valid YAML"),
    ],
)
def test_a_bad_file_is_named_and_not_quoted(tmp_path: Path, text: str, message: str) -> None:
    path = _written(tmp_path, text)

    with pytest.raises(ValueError) as raised:
        extra_variables(["@given.yml"], tmp_path)

    assert str(raised.value).startswith(str(path))
    assert message in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "given.yml").write_bytes(b"a: \xff\n")

    with pytest.raises(ValueError, match=r"given\.yml is not UTF-8"):
        extra_variables(["@given.yml"], tmp_path)


def test_a_tag_in_a_file_makes_no_object(tmp_path: Path) -> None:
    """`!!python/object` is what a careless loader would carry out."""
    _written(tmp_path, 'a: !!python/object/apply:os.system ["touch made"]\n')

    with pytest.raises(ValueError, match="is neither YAML nor JSON"):
        extra_variables(["@given.yml"], tmp_path)
    assert not (tmp_path / "made").exists()


def _written(folder: Path, text: str) -> Path:
    path = folder / "given.yml"
    path.write_text(text, encoding="utf-8")
    return path
