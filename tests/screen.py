"""What a terminal shows of what was written to it."""

import re

CONTROL = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


class Screen:
    """What a terminal shows, as far as diaken uses one: cursor up, erase a line, show and hide it.

    Raises AssertionError for a control sequence that it does not know, and, while a picture is
    drawn, for a line that is wider than it: that would break in two, and be left over.
    """

    def __init__(self, columns: int) -> None:
        self.lines = [""]
        self.cursor_is_shown = True
        self._columns = columns
        self._row = 0
        self._column = 0

    def write(self, text: str) -> None:
        """Show what was written; text that ends within a control sequence is not allowed."""
        at = 0
        while at < len(text):
            found = CONTROL.match(text, at)
            assert found is not None, repr(text[at : at + 20])
            at = found.end()
            if found[2]:
                self._control(found[1], found[2])
            elif found[0] == "\r":
                self._column = 0
            elif found[0] == "\n":
                self._feed()
            else:
                self._put(found[0])

    def _put(self, text: str) -> None:
        room = self._columns - self._column
        if len(text) > room:
            assert self.cursor_is_shown, f"too wide: {text!r}"
            self._put(text[:room])
            self._feed()
            self._column = 0
            self._put(text[room:])
            return
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)

    def _feed(self) -> None:
        self._row += 1
        self.lines += [""] * (self._row + 1 - len(self.lines))

    def _control(self, numbers: str, letter: str) -> None:
        match letter:
            case "m":
                pass
            case "A":
                self._row -= int(numbers or 1)
                assert self._row >= 0, "above the screen"
            case "K":
                assert numbers == "2"
                self.lines[self._row] = ""
            case "h" | "l":
                assert numbers == "?25"
                self.cursor_is_shown = letter == "h"
            case _:
                raise AssertionError(f"\\x1b[{numbers}{letter}")
