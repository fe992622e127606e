"""Run the console blocks of pages, and write into each page what its commands printed.

python -m tests.docs docs/tutorial.md …
"""

import sys
from pathlib import Path

from tests.docs.console import agrees, blocks
from tests.docs.world import Shell, shell
from tests.lab_fixture import Lab


def rewritten(page: str, opened: Shell) -> str:
    """The page with what its commands print now; a command that shows nothing goes on so."""
    opened.begin(page)
    parts, at = [], 0
    for block in blocks(page):
        lines = []
        for command in block.commands:
            printed, status = opened.run(command.text)
            if status != command.status:
                print(f"line {command.line}: exit status {status}: {command.text}\n{printed}")
            lines.append("$ " + command.text.replace("\n", "\n> "))
            if agrees(command.printed, printed):
                lines += command.printed.split("\n") if command.printed else []
            elif command.printed:
                lines += [line.rstrip() for line in printed.rstrip("\n").split("\n")]
        parts += [page[at : block.begin], "\n".join(lines)]
        at = block.end
    return "".join(parts) + page[at:]


def main() -> None:
    """Each page in a lab of its own."""
    for name in sys.argv[1:]:
        path, lab = Path(name), Lab.start("docs-writing", "--vms", "3")
        try:
            with shell(lab) as opened:
                path.write_text(rewritten(path.read_text(), opened))
        finally:
            lab.stop()
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
