"""What Ansible prints of a task's result, for people: `key: value` lines in the place of JSON."""

import json
import re

from diaken_cli.services.ansible.printed import as_lines

INDENT = "    "
_RESULT = re.compile(r"^(?:ok|changed|skipping|fatal|failed): \[.*? => (?=\{)", re.MULTILINE)


def readable(text: str) -> str:
    """The text with its result as lines; as it is where there is none that can be read.

    It may contain control characters that JSON had escaped: the caller has to escape them. JSON
    and JSON lines have the text as Ansible printed it.
    """
    head = _RESULT.search(text)
    if head is None:
        return text
    try:
        result, end = json.JSONDecoder().raw_decode(text, head.end())
    except (ValueError, RecursionError):  # cut, or an item that looks like a result
        return text
    lines = [f"{INDENT}{line}".rstrip() for line in as_lines(result, str)]
    before = text[: head.end()].removesuffix(" => ")
    return "\n".join([before, *lines]) + text[end:]
