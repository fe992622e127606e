"""The help of a command as its page shows it: paragraphs that flow, an example that can be copied.

The page would keep the line breaks of the source, and break an example wherever a line is full.
"""

import inspect

EXAMPLE = "Example: "
WIDTH = 76  # of an example's lines: a terminal has 80 columns
INDENT = "    "


def flowing(text: str) -> str:
    """The help text with a line a paragraph, and its example in lines that a shell joins again."""
    paragraphs = [" ".join(each.split()) for each in inspect.cleandoc(text).split("\n\n")]
    return "\n\n".join(_example(each) if each.startswith(EXAMPLE) else each for each in paragraphs)


def joined(example: str) -> str:
    """An example of `flowing` as one line."""
    return " ".join(example.replace("\\\n", " ").split())


def _example(paragraph: str) -> str:
    """The command on lines of its own, each but the last with a backslash at its end."""
    lines = [""]
    for part in paragraph.removeprefix(EXAMPLE).replace(" -", "\n-").split("\n"):
        if lines[-1] and len(f"{lines[-1]} {part} \\") > WIDTH:
            lines.append(f"{INDENT}{part}")
        else:
            lines[-1] = f"{lines[-1]} {part}".strip() if len(lines) == 1 else f"{lines[-1]} {part}"
    return "Example:\n" + " \\\n".join(lines)
