"""Run the console blocks of pages, and write into each page what its commands printed.

python -m tests.docs docs/tutorial.md …
"""

import sys
from pathlib import Path

from tests.docs.console import blocks
from tests.docs.world import Shell, shell
from tests.lab_fixture import Lab


def rewritten(page: str, opened: Shell) -> str:
    """The page with what its commands print now; a command that shows nothing goes on so."""
    parts, at = [], 0
    for block in blocks(page):
        lines = []
        for command in block.commands:
            printed, status = opened.run(command.text)
            if status != command.status:
                print(f"line {command.line}: exit status {status}: {command.text}\n{printed}")
            lines.append("$ " + command.text.replace("\n", "\n> "))
            if command.printed:
                lines += [line.rstrip() for line in printed.rstrip("\n").split("\n")]
        parts += [page[at : block.begin], "\n".join(lines)]
        at = block.end
    return "".join(parts) + page[at:]


def main() -> None:
    """Each page in a world of its own."""
    lab = Lab.start("docs-writing", "--vms", "3")
    try:
        for name in sys.argv[1:]:
            path = Path(name)
            with shell(lab) as opened:
                path.write_text(rewritten(path.read_text(), opened))
            print(f"wrote {path}")
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
