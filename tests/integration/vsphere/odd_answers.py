"""Answers of a vCenter with one element changed, as another release or a mistake would have it.

Unlike `hostile_answers` each is well-formed, and all but one element is as it was: so all but that
has to be understood.
"""

import random
import re
from collections.abc import Callable, Sequence

LEAF = re.compile(r"<(\w+)((?: [^<>]*)?)>([^<]+)</\1>")
BLOCK = re.compile(r"<(\w+)(?: [^<>]*)?>(?:(?!<\1[ >]).)*?</\1>", re.DOTALL)
TYPE = re.compile(r'(?<=[ :]type=")[A-Z]\w+(?=")')
LIST = re.compile(r'(<(\w+) [^<>]*type="ArrayOf\w+">).*?(</\2>)', re.DOTALL)
ENUMS = {
    *("poweredOn", "poweredOff", "suspended", "connected", "disconnected", "queued", "running"),
    *("success", "error", "enter", "modify", "leave", "assign", "green", "gray", "normal"),
}
OTHER_TEXTS = {
    re.compile(r"-?\d+"): "many",
    re.compile(r"true|false"): "perhaps",
    re.compile(r"\d{4}-\d\d-\d\dT.*"): "yesterday",
}


def _place(rng: random.Random, found: list[re.Match[str]]) -> re.Match[str] | None:
    return rng.choice(found) if found else None


def _changed(text: str, match: re.Match[str] | None, new: str) -> str:
    return text if match is None else text[: match.start()] + new + text[match.end() :]


def unknown_type(rng: random.Random, text: str) -> str:
    """Of a value, or of what a reference is to."""
    return _changed(text, _place(rng, list(TYPE.finditer(text))), "UnheardOf")


def unknown_enum(rng: random.Random, text: str) -> str:
    """A value of an enumeration that there was not."""
    found = [leaf for leaf in LEAF.finditer(text) if leaf[3] in ENUMS]
    match = _place(rng, found)
    new = f"<{match[1]}{match[2]}>unheardOf</{match[1]}>" if match else ""
    return _changed(text, match, new)


def missing(rng: random.Random, text: str) -> str:
    """An element is not there, with all that it has."""
    return _changed(text, _place(rng, list(BLOCK.finditer(text))), "")


def null(rng: random.Random, text: str) -> str:
    """An element has nothing in it."""
    match = _place(rng, list(LEAF.finditer(text)))
    return _changed(text, match, f"<{match[1]}{match[2]}></{match[1]}>" if match else "")


def wrong_type(rng: random.Random, text: str) -> str:
    """A text where a number, a truth or a time is to be; a number where a text is."""
    match = _place(rng, list(LEAF.finditer(text)))
    if match is None:
        return text
    others = [new for pattern, new in OTHER_TEXTS.items() if pattern.fullmatch(match[3])]
    if others:
        return _changed(text, match, f"<{match[1]}{match[2]}>{others[0]}</{match[1]}>")
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    return _changed(
        text, match, f'<{match[1]} xmlns:other="{xsi}" other:type="xsd:int">5</{match[1]}>'
    )


def extra(rng: random.Random, text: str) -> str:
    """An element that nobody knows, before another one."""
    match = _place(rng, list(LEAF.finditer(text)))
    return _changed(text, match, f"<unheardOf><x>1</x></unheardOf>{match[0]}" if match else "")


def empty_list(rng: random.Random, text: str) -> str:
    """A list has nothing in it."""
    match = _place(rng, list(LIST.finditer(text)))
    return _changed(text, match, f"{match[1]}{match[3]}" if match else "")


KINDS: tuple[Callable[[random.Random, str], str], ...] = (
    *(unknown_type, unknown_enum, missing, null, wrong_type, extra, empty_list),
)


def odd(rng: random.Random, answer: str, spared: Sequence[str] = ()) -> str:
    """An answer with one element of its result changed, in one of these ways.

    With `spared` only an object is changed that none of these words is said of.
    """
    change = rng.choice(KINDS)
    objects = re.split(r"(<objects>.*?</objects>)", answer)
    places = [
        number
        for number, part in enumerate(objects)
        if part.startswith("<objects>") and not any(word in part for word in spared)
    ]
    if places and (spared or rng.random() < 0.9):
        place = rng.choice(places)
        objects[place] = change(rng, objects[place])
        return "".join(objects)
    outer = re.search(r"<\w+Response xmlns[^>]*>", answer)
    if spared or outer is None:
        return answer
    end = answer.rindex("</", 0, answer.rindex("</soapenv:Body>"))
    return answer[: outer.end()] + change(rng, answer[outer.end() : end]) + answer[end:]
