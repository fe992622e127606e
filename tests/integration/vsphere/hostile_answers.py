"""Answers that no vCenter gives, made of those that one gave; `python -m … FIRST COUNT` plays them.

Each seed is an operation, and which of the answers to it are spoiled, in which ways. What comes out
of the real code has to be a result of bounded texts or one of diaken's own errors, soon, and in
bounded memory. A line of JSON tells what was found.
"""

import dataclasses
import gzip
import json
import random
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.errors import DiakenError
from diaken_cli.services.vsphere import changes, transport
from diaken_cli.services.vsphere.session import connect
from tests.integration.vsphere.records import (
    CONNECTING,
    OPERATIONS,
    Played,
    Recorded,
    http,
    load,
    played,
)

LONGEST = 4500  # characters of a text that comes out: a sentence of several of vCenter's

TYPES = (
    *("xsd:string", "xsd:int", "xsd:long", "xsd:short", "xsd:boolean", "xsd:dateTime", "xsd:float"),
    *("xsd:base64Binary", "xsd:anyType", "xsd:QName", "xsd:byte", "xsd:anyURI", "xsd:double"),
    *("ManagedObjectReference", "ArrayOfManagedObjectReference", "ArrayOfString", "ArrayOfInt"),
    *("ArrayOfAnyType", "TaskInfo", "VirtualMachineSnapshotInfo", "VirtualMachineFileLayoutEx"),
    *("ArrayOfGuestNicInfo", "GuestNicInfo", "NoPermission", "LocalizedMethodFault", "MethodFault"),
    *("VirtualMachinePowerState", "DatastoreSummary", "VirtualHardware", "VirtualDisk", "Unheard"),
    *("TypeName", "MethodName", "PropertyPath", "DynamicProperty", "ObjectContent", "", "a:b:c"),
    *("ArrayOfUnheard", "VirtualMachineConfigInfo", "DynamicData", "VirtualMachine", "Task"),
    *("ArrayOfVirtualDevice", "ArrayOfOptionValue", "OptionValue", "ArrayOfTag", "UserSession"),
)
TEXTS = (
    *("", " ", "0", "-1", "1", "true", "TRUE", "2", "nan", "inf", "-inf", "1e999", "0x10", "１２"),
    *("9" * 19, "9" * 20, "-" + "9" * 30, "9" * 5000, "1_000", "+5", "3.7", "null", "None"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-13-45T99:00:00Z", "1970", "2026"),
    *("0000-00-00T00:00:00Z", "2026-01-01T24:00:00", "-2026-01-01T00:00:00Z", "9999-12-31T24:00"),
    *("poweredOn", "values", "__class__", "__doc__", "upper", "mro", "success", "error", "leave"),
    *(
        "a" * 300,
        "ü" * 2000,
        "x" * 100_000,
        "\n",
        "a\nb",
        "\x9b31m",
        "\u202e",
        "\u2028",
        "\U0001f600",
    ),
    *("%2f%5c%25%zz", "../../etc/passwd", "&lt;b&gt;", "&#10;&#13;&#9;", "]]>", "&#27;[31m", "&x;"),
    *("vm-1", "group-d1", "10.0.0.1", "::1", "999.1.1.1", "VirtualMachine", "[bold]red[/bold]"),
    *("<a/>", "<![CDATA[x]]>", "<!-- x -->", "<?x y?>", "<name>x</name>", "<val/>"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", "x", "\ud800", "\x1b[31m"),
    *("a" * 5000, "a\nb", [], {}, [None], [[]], {"value": None}, {"id": 5}, ["x", 5], {"": ""}),
    *({"messages": 5}, {"messages": [{"default_message": 5}]}, {"value": {"messages": {}}}),
)
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">%s]><l>&h;</l>' % b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 20) for n in range(8)
)

MOST = 300_000
"""Characters that an answer is made larger to, roughly: what is larger has tests of its own."""

Spoil = Callable[[random.Random, str, Recorded], str]


def tokens(text: str) -> list[str]:
    return [part for part in re.split(r"(<[^>]*>)", text) if part]


def _at(rng: random.Random, found: list[str], *, tags: bool) -> int:
    places = [n for n, part in enumerate(found) if part.startswith("<") == tags]
    return rng.choice(places) if places else 0


def _texts(rng: random.Random, text: str, _all: Recorded) -> str:
    found = tokens(text)
    for _ in range(rng.randint(1, 4)):
        found[_at(rng, found, tags=False)] = rng.choice(TEXTS)
    return "".join(found)


def _types(rng: random.Random, text: str, _all: Recorded) -> str:
    found = re.split(r'((?:xsi:)?type="[^"]*")', text)
    for place in rng.sample(range(1, len(found), 2), min(rng.randint(1, 3), len(found) // 2)):
        name = found[place].partition("=")[0]
        found[place] = f'{rng.choice((name, name, "xsi:type", "type"))}="{rng.choice(TYPES)}"'
    return "".join(found)


def _typed(rng: random.Random, text: str, _all: Recorded) -> str:
    found = tokens(text)
    place = _at(rng, found, tags=True)
    found[place] = re.sub(r"^<(\w+)", rf'<\1 xsi:type="{rng.choice(TYPES)}"', found[place])
    return "".join(found)


def _dropped(rng: random.Random, text: str, _all: Recorded) -> str:
    """Without some elements that have no others in them, or one with all that it has."""
    if rng.random() < 0.5:
        leaves = re.split(r"(<(\w+)[^>]*>[^<]*</\2>)", text)
        for place in rng.sample(range(1, len(leaves), 3), min(2, len(leaves) // 3)):
            leaves[place] = ""
        return "".join(part for n, part in enumerate(leaves) if n % 3 != 2)
    name = rng.choice(re.findall(r"<(\w+)[ >]", text) or ["x"])
    return re.sub(rf"<{name}[ >].*?</{name}>", "", text, count=rng.randint(1, 3), flags=re.DOTALL)


def _twice(rng: random.Random, text: str, _all: Recorded) -> str:
    name = rng.choice(re.findall(r"<(\w+)[ >]", text) or ["x"])
    times = rng.choice((2, 2, 3, 300))
    found = re.compile(rf"<{name}[ >].*?</{name}>", re.DOTALL)
    return found.sub(lambda match: match[0] * min(times, 1 + MOST // len(text)), text, count=1)


def _nested(rng: random.Random, text: str, _all: Recorded) -> str:
    name = rng.choice(re.findall(r"<(\w+)[ >]", text) or ["x"])
    times = min(rng.choice((2, 10, 300, 20_000)), 1 + MOST // len(text))
    found = re.compile(rf"(<{name}(?: [^>]*)?>)(.*?)(</{name}>)", re.DOTALL)
    return found.sub(lambda m: m[1] * times + m[2] + m[3] * times, text, count=1)


def _shuffled(rng: random.Random, text: str, _all: Recorded) -> str:
    found = tokens(text)
    for _ in range(rng.randint(1, 3)):
        one, other = rng.randrange(len(found)), rng.randrange(len(found))
        found[one], found[other] = found[other], found[one]
    return "".join(found)


def _renamed(rng: random.Random, text: str, _all: Recorded) -> str:
    names = re.findall(r"<(\w+)[ >]", text) or ["x"]
    old, new = rng.choice(names), rng.choice((*names, "x", "fault", "token", "_stub", "__class__"))
    return re.sub(rf"(</?){old}\b", rf"\g<1>{new}", text, count=rng.choice((0, 2)))


def _other(rng: random.Random, _text: str, recorded: Recorded) -> str:
    return rng.choice(rng.choice(list(recorded.values())))[1]


def _cut(rng: random.Random, text: str, _all: Recorded) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _garbled(rng: random.Random, text: str, _all: Recorded) -> str:
    found = list(text)
    for _ in range(rng.randint(1, 20)):
        found[rng.randrange(len(found))] = chr(
            rng.choice((0, 7, 27, 60, 62, 34, 38, 155, 8232, 65))
        )
    return "".join(found)


def _namespaces(rng: random.Random, text: str, _all: Recorded) -> str:
    old = rng.choice(
        ("urn:vim25", "http://www.w3.org/2001/XMLSchema-instance", "xmlsoap", "soapenv")
    )
    return text.replace(old, rng.choice(("", "urn:vim2", "urn:sms", "x", "http://\u00fc")))


def _endless(_rng: random.Random, text: str, _all: Recorded) -> str:
    return text.replace("<returnval>", "<returnval><token>more</token>", 1)


def _fault(rng: random.Random, _text: str, _all: Recorded) -> str:
    kind = rng.choice(
        (*TYPES, "NotAuthenticated", "ManagedObjectNotFound", "NoDiskSpace", "FileLocked")
    )
    inner = "".join(
        f"<{name}>{rng.choice(TEXTS)}</{name}>"
        for name in rng.sample(
            ("obj", "faultMessage", "datastore", "file", "object", "name", "x"), 2
        )
    )
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body><e:Fault><faultcode>x'
        f"</faultcode><faultstring>{rng.choice(TEXTS)}</faultstring><detail>"
        f'<{kind or "x"}Fault xmlns="urn:vim25" xsi:type="{kind}">{inner}</{kind or "x"}Fault>'
        "</detail></e:Fault></e:Body></e:Envelope>"
    )


SOAP: tuple[Spoil, ...] = (
    *(_texts, _texts, _texts, _types, _types, _types, _typed, _dropped, _dropped, _twice, _nested),
    *(_shuffled, _renamed, _renamed, _other, _cut, _garbled, _namespaces, _endless, _fault),
)


def spoiled_json(rng: random.Random, text: str) -> bytes:
    """JSON with other values somewhere, or what is none."""
    if rng.random() < 0.2:
        other = (b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b"NaN", text.encode("utf-16"))
        return rng.choice((*other, b"[" + b"{}," * 300_000 + b"{}]", b'"' + b"x" * 10**6 + b'"'))
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    for _ in range(rng.randint(1, 2)):
        document = _with_another(rng, document)
    return json.dumps(document).encode()


def _with_another(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        if rng.random() < 0.2:
            return {name: each for name, each in value.items() if name != key}
        return value | {key: _with_another(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        changed = [*value[:place], _with_another(rng, value[place]), *value[place + 1 :]]
        return changed * rng.choice((1, 1, 1, 50))
    return rng.choice(VALUES)


def spoiled_http(rng: random.Random, body: bytes, status: int) -> bytes:
    """An answer whose own form is wrong."""
    length = rng.choice((str(len(body)), "-1", "x", str(len(body) + 9), "3", "9" * 18, "1, 2", ""))
    headers = rng.choice(
        (
            "",
            f"Set-Cookie: vmware_soap_session={rng.choice(TEXTS)[:300]}; Path=/\r\n",
            'Set-Cookie: vmware_soap_session="a\r\n b"; Path=/\r\n',
            "Set-Cookie: vmware_soap_session\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: br\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Type: text/html\r\n",
            "Location: https://elsewhere.example/sdk\r\n",
            "X: y\r\n" * 500,
            "X: " + "y" * 70_000 + "\r\n",
            " folded\r\n",
            "no colon\r\n",
            "Content-Type: \udc80\r\n".encode("utf-8", "surrogateescape").decode("latin-1"),
        )
    )
    first = rng.choice(
        (
            f"HTTP/1.1 {status} OK",
            *("HTTP/1.1 302 Found", "HTTP/1.1 401 \x1b[31m", "HTTP/1.0 200", "HTTP/9.9 200 OK"),
            *("HTTP/1.1 999 x", "HTTP/1.1 0 x", "HTTP/1.1 204 x", "HTTP/1.1 407 x", "ICY 200", ""),
            *(
                "HTTP/1.1 100 Continue\r\n\r\n" * 20 + "HTTP/1.1 200 OK",
                "HTTP/1.1 -5 x",
                "x" * 70_000,
            ),
        )
    )
    if rng.random() < 0.2:
        body = gzip.compress(body)[: rng.choice((-4, 10, 10**9))]
        headers = "Content-Encoding: gzip\r\n"
        length = str(len(body))
    elif rng.random() < 0.15:
        body = rng.choice(
            (b"%x\r\n" % len(body) + body, b"-1\r\nxx", b"zz\r\n", b"ffffffffff\r\nx")
        )
        headers = "Transfer-Encoding: chunked\r\n"
    head = f"{first}\r\nContent-Length: {length}\r\n{headers}\r\n"
    return head.encode("latin-1", "replace") + body


def spoiled(rng: random.Random, call: str, status: int, body: str, all_of: Recorded) -> bytes:
    """The bytes of a hostile answer in the place of a recorded one."""
    if rng.random() < 0.12:
        return spoiled_http(rng, body.encode(), status)
    if " " in call:
        code = status if rng.random() < 0.8 else rng.choice((200, 302, 400, 401, 403, 404, 500))
        return http(spoiled_json(rng, body), status=code)
    if rng.random() < 0.03:
        other = (LAUGHS, b"", b"\x00", body.encode("utf-16"), b"<a " * 100_000, b"<a>" * 100_000)
        return http(rng.choice(other), status=status)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        body = rng.choice(SOAP)(rng, body, all_of)
        if not body or len(body) > MOST:
            break
    return http(body.encode("utf-8", "replace"), status=rng.choice((200, 200, 200, 500, status)))


def play(seed: int, records: dict[str, Recorded], patched: pytest.MonkeyPatch) -> str:
    """How one operation ended."""
    rng = random.Random(seed)  # noqa: S311  to be repeated, not to be a secret
    name = rng.choice(list(OPERATIONS))
    recorded = {**records[CONNECTING], **records[name]}
    calls = sum(len(answers) for answers in recorded.values())
    from_call = rng.randrange(calls) if rng.random() < 0.3 else rng.randrange(2, calls)
    until = from_call + rng.choice((1, 1, 99))
    asked = 0

    def answer(call: str, status: int, body: str) -> bytes:
        nonlocal asked
        asked += 1
        if from_call < asked <= until:
            return spoiled(rng, call, status, body, recorded)
        cookie = 'Set-Cookie: vmware_soap_session="a1"; Path=/; HttpOnly; Secure\r\n'
        return http(body.encode(), status=status, headers=cookie)

    with played(patched, Played(recorded, answer)) as endpoint:
        try:
            with connect(endpoint) as session:
                _look_at(OPERATIONS[name](session))
        except DiakenError as error:
            _look_at((error.message, error.hint, error.code))
            return error.code
    return "a result"


def _look_at(found: Any) -> None:
    """Raises ValueError for a text that can't be shown as it is."""
    if isinstance(found, str):
        if len(found) > LONGEST:
            raise ValueError(f"a text of {len(found)} characters: {found[:80]!r}")
        if not found.isprintable():
            raise ValueError(f"a text that is no line: {found[:80]!r}")
    elif isinstance(found, dict):
        _look_at([*found.keys(), *found.values()])
    elif isinstance(found, (list, tuple, set, frozenset)):
        for each in found:
            _look_at(each)
    elif isinstance(found, DiakenError):
        _look_at(found.message)
    elif dataclasses.is_dataclass(found):
        names = (field.name for field in dataclasses.fields(found))
        _look_at([getattr(found, name) for name in names if name != "extra_config"])  # not shown


def _peak() -> int:
    """The most memory that this process has had, in MB; ru_maxrss would have its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main(first: int, count: int) -> None:
    records = load()
    ends: dict[str, int] = {}
    failures: dict[str, list[int]] = {}
    slowest = (0.0, -1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
        patched.setattr(changes, "LEAST_SECONDS", 0.001)
        for seed in range(first, first + count):
            started = time.perf_counter()
            try:
                end = play(seed, records, patched)
            except Exception:  # noqa: BLE001  what is looked for
                failures.setdefault(traceback.format_exc(limit=-4), []).append(seed)
            else:
                ends[end] = ends.get(end, 0) + 1
            slowest = max(slowest, (time.perf_counter() - started, seed))
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "failures": failures,
        "ends": ends,
        "slowest": slowest,
        "seconds": used.ru_utime + used.ru_stime,
        "peak": _peak(),
    }
    print(json.dumps(told))  # noqa: T201  what it is for


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
