"""Write the generated pages, or with --check say which are not as the code is."""

import sys
from pathlib import Path

from docs.generate import ansible_settings, completion, man, reference

DOCS = Path(__file__).parents[1]
TABLE = DOCS.parent / "diaken_cli" / "completion" / "table.json"


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    found = {
        DOCS / "reference" / "commands.md": reference.commands(),
        DOCS / "reference" / "config.md": reference.config(),
        DOCS / "reference" / "exit-statuses.md": reference.exit_statuses(),
        DOCS / "reference" / "events.md": reference.json_lines(),
        DOCS / "reference" / "ansible-settings.md": ansible_settings.page(),
        TABLE: completion.table(),
    }
    return found | {DOCS / "man" / name: text for name, text in man.pages().items()}


def main() -> int:
    """The exit status: 1 where --check finds a difference."""
    different = [
        path for path, text in pages().items() if not path.is_file() or path.read_text() != text
    ]
    if "--check" in sys.argv[1:]:
        for path in different:
            print(f"{path.relative_to(DOCS.parent)} is not as the code is: run make docs")
        return bool(different)
    for path in different:
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages()[path])
        print(f"wrote {path.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
