"""The help of a command: paragraphs that flow, and examples that can be copied as they stand."""

import inspect
from collections.abc import Sequence

EXAMPLE = "Example: "
INDENT = "    "


def parse(docstring: str) -> tuple[str, tuple[str, ...]]:
    """The text of a help page, a line a paragraph, and its examples, a line each.

    A paragraph of the docstring that begins with `Example: ` is one of them.
    """
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(docstring).split("\n\n")]
    text = "\n\n".join(paragraph for paragraph in paragraphs if not paragraph.startswith(EXAMPLE))
    examples = [
        paragraph.removeprefix(EXAMPLE) for paragraph in paragraphs if paragraph.startswith(EXAMPLE)
    ]
    return text, tuple(examples)


def fold(example: str, width: int) -> Sequence[str]:
    """A command in lines of at most so many columns, which a shell joins again.

    It is folded before an option only, so that no value is torn from its option.
    """
    lines = [""]
    for part in example.replace(" -", "\n-").split("\n"):
        joined = f"{lines[-1]} {part}" if lines[-1] else part
        if lines[-1] and len(joined) + len(" \\") > width:
            lines.append(f"{INDENT}{part}")
        else:
            lines[-1] = joined
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]
