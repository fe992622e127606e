import json
import re

import pytest

from diaken_cli.render.output import print_json, print_json_line
from diaken_cli.text import CONTROL


def test_json_has_nothing_that_a_terminal_acts_on(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["\x9b31m", "\x1b[2J", "\u202eabc", "\x7f", "é 猫 ✓"]
    print_json(texts)
    indented = capsys.readouterr().out
    print_json_line({"texts": texts})
    line = capsys.readouterr().out
    assert json.loads(indented) == texts
    assert json.loads(line) == {"texts": texts}
    for printed in (indented, line):
        assert re.search(CONTROL, printed) is None
        assert "é 猫 ✓" in printed
