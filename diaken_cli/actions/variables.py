"""Names and values of variables and settings, as a person types them and as they are stored.

A parser returns the value or raises ValueError with a sentence about it, like those in `units`.
"""

import json
import keyword
from fnmatch import fnmatchcase
from typing import Any

from diaken_cli.kinds import check_utf8
from diaken_cli.types import CONNECTION_VARIABLES

PASSWORDS = "ansible_*pass*"
LISTS = ("provision_packages", "target_dns")
"""The variables of the shipped playbooks that take a list of texts, and nothing else."""
MOST_LEVELS = 50
TOO_DEEP = f"must be nested at most {MOST_LEVELS} levels deep"


def variable(text: str) -> tuple[str, str]:
    """`K=V`; the value is a string, as with `ansible-playbook -e K=V`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError("must be KEY=VALUE")
    return stored_name(key), value


def variable_name(text: str) -> str:
    """A name that Ansible takes for a variable, and that points no host elsewhere."""
    if not (text.isascii() and text.isidentifier()) or keyword.iskeyword(text):
        raise ValueError(
            f"{text!r} is not a variable name: letters, digits and _, no digit first, no"
            " Python keyword"
        )
    if text in CONNECTION_VARIABLES:
        raise ValueError(f"{text} is set by diaken itself, from the inventory")
    return text


def stored_name(text: str) -> str:
    """The name of a variable or a setting that may be stored, which a password may not."""
    if fnmatchcase(text.lower(), PASSWORDS):
        raise ValueError(
            f"{text} would store a password; use --become-password-command or an SSH key"
        )
    return variable_name(text)


def stored_value(value: Any) -> Any:
    """A value that JSON and UTF-8 can hold: no NaN, no 1e999, no half of a surrogate pair."""
    if _is_deep(value):
        raise ValueError(TOO_DEEP)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise ValueError("must be a value that JSON can hold") from None
    return value


def setting_value(key: str, text: str) -> Any:
    """The value of a setting: JSON where it is JSON, else the text itself."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except ValueError:
        value = text
    if _is_deep(value):
        raise ValueError(TOO_DEEP)
    try:
        value = stored_value(value)
    except ValueError:
        value = check_utf8(text)
    if key == "snapshot_retention_hours" and not (type(value) is int and 1 <= value <= 99):
        raise ValueError("must be a whole number of hours, 1-99")
    if key in LISTS and not _is_list_of_texts(value):
        words = value.replace(",", " ").split() if isinstance(value, str) else []
        like = json.dumps(words or ["one", "two"])
        raise ValueError(f"must be a list of strings, as JSON: '{like}'")
    return value


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        nested = [value for value in level if isinstance(value, dict | list)]
        if not nested:
            return False
        level = [v for part in nested for v in (part.values() if isinstance(part, dict) else part)]
    return True
