"""YAML that others wrote, parsed in bounds: no file of a page fills the memory, or the stack.

A list of aliases of lists of aliases … comes to a billion values ("billion laughs"), and brackets
without end crash libyaml's own composer, and the process with it. So values are counted as if
aliases were written out, and levels, too, while the text is read.
"""

from typing import Any

import yaml

from diaken_cli import bounds

_ABOUT_VALUES = 64  # characters that count as one more value
_LONGEST_NUMBER = 1000  # characters; YAML's 1:1:1:… takes quadratic time
_OF_NUMBERS = frozenset("+-_.:0123456789")

_Base: type = object
try:
    from yaml import CSafeLoader

    class _OfLibyaml(yaml.composer.Composer, CSafeLoader):
        """libyaml's events, of which Python composes the nodes: it minds its own stack."""

        def __init__(self, text: str) -> None:
            CSafeLoader.__init__(self, text)
            yaml.composer.Composer.__init__(self)

    _Base = _OfLibyaml
except ImportError:  # PyYAML without libyaml is ten times slower, and as right
    _Base = yaml.SafeLoader


class TooMuch(yaml.MarkedYAMLError):
    """It holds more than is taken in; `problem` says of what."""


class Loader(_Base):  # type: ignore[misc]
    """A SafeLoader that raises TooMuch at what is over the bounds."""

    def __init__(self, text: str, most: int | None = None) -> None:
        """`most`: how many values it may have."""
        super().__init__(text)
        self._most = bounds.YAML_VALUES if most is None else most
        self._values = 0
        self._open: list[tuple[str | None, int]] = []
        self._anchored: dict[str, int] = {}

    def get_event(self) -> Any:
        """The next event, where it is within the bounds."""
        event = super().get_event()
        if event is not None:
            self._weigh(event)
        return event

    def _weigh(self, event: Any) -> None:
        match event:
            case yaml.AliasEvent():
                if any(anchor == event.anchor for anchor, _ in self._open):
                    raise self._refused("a value that contains itself", event)
                self._values += self._anchored.get(event.anchor or "", 1)
            case yaml.ScalarEvent():
                before = self._values
                self._values += 1 + len(event.value) // _ABOUT_VALUES
                self._note(event.anchor, before)
                is_long = len(event.value) > _LONGEST_NUMBER and event.implicit[0]
                if is_long and _OF_NUMBERS.issuperset(event.value):
                    raise self._refused("a number that is too long", event)
            case yaml.CollectionStartEvent():
                self._open.append((event.anchor, self._values))
                self._values += 1
                if len(self._open) > bounds.YAML_LEVELS:
                    raise self._refused(f"more than {bounds.YAML_LEVELS} levels", event)
            case yaml.CollectionEndEvent():
                self._note(*self._open.pop())
        if self._values > self._most:
            many = f"more than {self._most} values, counting those that aliases repeat"
            raise self._refused(many, event)

    def _note(self, anchor: str | None, before: int) -> None:
        if anchor is not None:
            self._anchored[anchor] = self._values - before

    def _refused(self, what: str, event: Any) -> TooMuch:
        return TooMuch(problem=f"it has {what}", problem_mark=event.start_mark)


def compose(text: str) -> yaml.Node | None:
    """The nodes of a text of one document. Raises yaml.YAMLError, ValueError."""
    loader = Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def check(text: str, most: int | None = None) -> None:
    """See that it is YAML, and within bounds; nothing of it is kept. Raises as `compose`."""
    loader = Loader(text, most)
    try:
        while loader.check_event():
            loader.get_event()
    finally:
        loader.dispose()
