"""YAML from outside, parsed within bounds: a small file can't fill the memory, or the stack.

A list of aliases of lists of aliases … comes to a billion values ("billion laughs"), and brackets
without end crash libyaml's own composer, and the process with it. So values are counted as if
aliases were written out, and levels, too, while the text is read.
"""

from typing import Any

import yaml

from diaken_cli import bounds

_VALUE_CHARACTERS = 64  # characters that count as one more value
_LONGEST_NUMBER = 1000  # characters; YAML's 1:1:1:… takes quadratic time
_NUMBER_CHARACTERS = frozenset("+-_.:0123456789")

_Base: type = object
try:
    from yaml import CSafeLoader

    class _LibyamlLoader(yaml.composer.Composer, CSafeLoader):
        """libyaml's events, of which Python composes the nodes: its recursion is bounded."""

        def __init__(self, text: str) -> None:
            CSafeLoader.__init__(self, text)
            yaml.composer.Composer.__init__(self)

    _Base = _LibyamlLoader
except ImportError:  # PyYAML without libyaml is ten times slower, and as right
    _Base = yaml.SafeLoader


class LimitExceeded(yaml.MarkedYAMLError):
    """The text has more than is taken in; `problem` says of what."""


class BoundedLoader(_Base):  # type: ignore[misc]
    """A SafeLoader that raises LimitExceeded at what is over the bounds."""

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
            self._count(event)
        return event

    def _count(self, event: Any) -> None:
        match event:
            case yaml.AliasEvent():
                if any(anchor == event.anchor for anchor, _ in self._open):
                    raise self._refused("a value that contains itself", event)
                self._values += self._anchored.get(event.anchor or "", 1)
            case yaml.ScalarEvent():
                before = self._values
                self._values += 1 + len(event.value) // _VALUE_CHARACTERS
                self._note(event.anchor, before)
                is_long = len(event.value) > _LONGEST_NUMBER and event.implicit[0]
                if is_long and _NUMBER_CHARACTERS.issuperset(event.value):
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

    def _refused(self, what: str, event: Any) -> LimitExceeded:
        return LimitExceeded(problem=f"it has {what}", problem_mark=event.start_mark)


def compose(text: str) -> yaml.Node | None:
    """The nodes of a text of one document. Raises yaml.YAMLError, ValueError."""
    loader = BoundedLoader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def check(text: str, most: int | None = None) -> None:
    """Check that it is YAML, and within bounds; nothing of it is kept. Raises as `compose`."""
    loader = BoundedLoader(text, most)
    try:
        while loader.check_event():
            loader.get_event()
    finally:
        loader.dispose()
