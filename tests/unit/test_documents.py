"""What documents list is what the code has."""

import re
from pathlib import Path

from diaken_cli.services.vsphere.privileges import NEEDED_PRIVILEGES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_privileges_has_all_and_no_more() -> None:
    text = (DOCS / "how-to" / "vcenter-account.md").read_text()
    listed = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(NEEDED_PRIVILEGES)
