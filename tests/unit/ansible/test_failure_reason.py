"""Why Ansible did not start, out of all that it printed."""

import pytest

from diaken_cli.services.ansible.reasons import ansible_failure_reason


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "[ERROR]: the playbook: x.yml could not be found\n",
            "the playbook: x.yml could not be found",
        ),
        ("[WARNING]: old\nERROR! no such thing\n", "no such thing"),
        (
            "[ERROR]: YAML parsing failed: no end\nOrigin: /x.yml:2:1\n\n1 - a\n2\n  ^ column 1\n",
            "YAML parsing failed: no end (/x.yml:2:1)",
        ),
        (
            """\
[ERROR]: YAML parsing failed: Colons in
unquoted values.
Origin: /x.yml:4:20

4   debug: msg
    ^ column 20

For example:

    raw: echo
""",
            "YAML parsing failed: Colons in unquoted values. (/x.yml:4:20)",
        ),
        (
            """\
ERROR! We were unable to read either as JSON nor YAML, these are the errors we got from each:
JSON: Expecting value: line 1 column 1 (char 0)

Syntax Error while loading YAML.
  no end

The error appears to be in '/x y.yml': line 2, column 1, but may
be elsewhere in the file depending on the exact syntax problem.

The offending line appears to be:

- a
^ here
""",
            "YAML parsing failed: no end (/x y.yml:2:1)",
        ),
        (
            """\
[ERROR]: can't be finalized
Origin: /x.yml:2:1

2 - a

<<< caused by >>>

no such
filter
Origin: /y.yml:7:1

7 - b
""",
            "can't be finalized (/x.yml:2:1); caused by: no such filter (/y.yml:7:1)",
        ),
        (
            """\
[ERROR]: Invalid vars_files file '/v.yml': no vault secrets found.

Invalid vars_files file '/v.yml'.

<<< caused by >>>

no vault secrets found.
Origin: /v.yml

""",
            "Invalid vars_files file '/v.yml'; caused by: no vault secrets found. (/v.yml)",
        ),
        ("[ERROR]: a bug: deep\n\nTraceback (most recent call last):\n  File x\n", "a bug: deep"),
        ("ERROR! a bug: deep\nthe full traceback was:\n\nTraceback …\n", "a bug: deep"),
        ("sh: 1: flock: not found\n", "sh: 1: flock: not found"),
        ("", ""),
    ],
)
def test_why_it_did_not_start_is_told_without_source(printed: str, said: str) -> None:
    assert ansible_failure_reason(printed) == said
