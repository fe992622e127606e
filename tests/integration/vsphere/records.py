"""What a vCenter answered to each operation, recorded from the simulator, and played again.

`python -m tests.integration.vsphere.records` records anew; the file is kept, so that a seed of
the fuzz means the same answers tomorrow. Played again, the real code reads it from a socket that
is none: no TLS, no process, a tenth of a millisecond.
"""

import json
import os
import re
import ssl
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.services.vsphere import browse, rest, snapshots, vms
from diaken_cli.services.vsphere import session as session_module
from diaken_cli.services.vsphere.browse import read_servers
from diaken_cli.services.vsphere.connection import Answer, Connection, Endpoint, TimeLimits, _Socket
from diaken_cli.services.vsphere.disks import read_disks
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.privileges import missing_privileges
from diaken_cli.services.vsphere.properties import collect
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.tags import tags_of_vms
from diaken_cli.services.vsphere.task_follower import TaskFollower
from diaken_cli.services.vsphere.tasks import recent_tasks, wait
from diaken_cli.services.vsphere.templates import Placement, start_clone
from diaken_cli.services.vsphere.vms import power_off, power_on, wait_for_address
from tests.integration.vsphere.simulator import IDENTITY, PASSWORD, USERNAME, Simulator, request

RECORDS = Path(__file__).with_name("answers.json")
CONNECTING = "connect"
BRIEFLY = 0.02
"""Seconds that what waits may wait."""

Recorded = Mapping[str, list[tuple[int, str]]]
"""By the call (a SOAP method, or a verb and a path), the statuses and bodies in their order."""

Operation = Callable[[Session], object]


def _of(session: Session, name: str) -> str:
    return next((vm.ref for vm in vms.find_vms(session) if vm.name == name), "vm-0")


def _waiting(session: Session) -> object:
    task = power_off(session, _of(session, "web02"))
    return wait(session, [task], timeout=BRIEFLY)


def _following(session: Session) -> object:
    with TaskFollower(session) as following:
        following.follow([power_on(session, _of(session, "web02"))])
        return following.ended(timeout=BRIEFLY, should_stop=lambda: False)


def _clone(session: Session) -> object:
    wanted = request("new02", network="VM Network")
    placement = resolve_placement(session, wanted)
    if not isinstance(placement, Placement):
        return placement
    return start_clone(session, placement, wanted, IDENTITY)


def _taken(session: Session) -> object:
    ref = _of(session, "web01")
    trees = snapshots.snapshot_trees(session, [ref])
    found = trees, snapshots.snapshot_sizes(session, trees)
    return found, snapshots.create_snapshot(session, ref, "once more", "")


OPERATIONS: dict[str, Operation] = {
    "vms": lambda s: vms.find_vms(s, extra_config=True),
    "snapshots": snapshots.find_snapshots,
    "taken": _taken,
    "servers": read_servers,
    "browse vms": lambda s: browse.browse(s, "vms"),
    "browse templates": lambda s: browse.browse(s, "templates"),
    "browse networks": lambda s: browse.browse(s, "networks"),
    "browse hosts": lambda s: browse.browse(s, "hosts", "DC0"),
    "clone": _clone,
    "privileges": missing_privileges,
    "waiting": _waiting,
    "following": _following,
    "recent tasks": lambda s: recent_tasks(s, "web02"),
    "disk files": lambda s: read_disks(s, _of(s, "web01")),
    "events": lambda s: vms.creation_time(
        s, replace(vms.read_vm(s, _of(s, "web01")), created_at=None)
    ),
    "address": lambda s: wait_for_address(s, _of(s, "web01"), "192.0.2.1", timeout=BRIEFLY),
    "networks": lambda s: collect(s, {vim.Network: ("name", "parent", "tag")}),
    "clock": lambda s: s.now(),
    "tags": lambda s: tags_of_vms(s, "Role"),
}
"""Each way in which diaken reads a vCenter, and some in which it changes one."""


def load() -> dict[str, Recorded]:
    """The records, by operation; "connect" is what each of them begins and ends with."""
    loaded: dict[str, Recorded] = json.loads(RECORDS.read_text())
    return loaded


def call_of(verb: str, path: str, body: bytes) -> str:
    """The name of a call in the records; ids of tags do not tell two calls apart."""
    if path != "/sdk":
        return f"{verb} {path.partition('?')[0].rpartition('/')[0]}/…{path.partition('?')[2]}"
    found = re.search(rb"<soapenv:Body><(\w+)", body)
    return found[1].decode() if found else "?"


class Played:
    """Answers of a vCenter as a socket gives them.

    `answer` makes the bytes that go over the wire of the call's name, and what was recorded of it.
    """

    def __init__(
        self, recorded: Recorded, answer: Callable[[str, int, str], bytes] | None = None
    ) -> None:
        self._recorded = recorded
        self._answer = answer or (lambda _call, status, body: http(body.encode(), status=status))
        self._asked: dict[str, int] = {}
        self._request = bytearray()
        self._out = memoryview(b"")
        self._reading, self._writing = os.pipe()
        self.calls = 0

    def fileno(self) -> int:
        return self._reading

    def settimeout(self, seconds: float) -> None:
        """Nothing here takes time."""

    def send(self, data: memoryview) -> int:
        self._request += data
        head, found, body = self._request.partition(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        if found and len(body) >= (int(length[1]) if length else 0):
            verb, path, _ = bytes(head).split(b" ", 2)
            self._out = memoryview(self._next(call_of(verb.decode(), path.decode(), bytes(body))))
            self._request.clear()
        return len(data)

    def recv_into(self, into: Any) -> int:
        count = min(len(into), len(self._out))
        into[:count] = self._out[:count]
        self._out = self._out[count:]
        return count

    def close(self) -> None:
        """It is opened again for the next call, if there is one."""

    def end(self) -> None:
        os.close(self._reading)
        os.close(self._writing)

    def _next(self, call: str) -> bytes:
        self.calls += 1
        known = self._recorded.get(call, [(500, "")])
        number = self._asked.get(call, 0)
        self._asked[call] = number + 1
        status, body = known[min(number, len(known) - 1)]
        return self._answer(call, status, body)


def http(body: bytes, *, status: int = 200, headers: str = "") -> bytes:
    """An HTTP answer with that body."""
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode("latin-1", "replace") + body


@contextmanager
def played(monkeypatch: pytest.MonkeyPatch, of: Played) -> Iterator[Endpoint]:
    """Within it, each connection leads there."""
    with monkeypatch.context() as patched:
        for module in (session_module, rest):  # reading all authorities takes longer than the rest
            patched.setattr(module, "tls_context", lambda _endpoint: None)
        patched.setattr(Connection, "_connect", lambda _self, _limits: _Socket(of))  # type: ignore[arg-type]
        yield Endpoint(server="vcenter.example", username=USERNAME, password=PASSWORD)
    of.end()


def main() -> None:
    """Record all operations anew."""
    records: dict[str, dict[str, list[tuple[int, str]]]] = {}
    into: dict[str, list[tuple[int, str]]] = {}
    request = Connection.request

    def recording(
        self: Connection,
        verb: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        limits: TimeLimits,
        largest: int,
    ) -> Answer:
        answer = request(self, verb, path, body, headers, limits, largest)
        name = call_of(verb, path, body or b"")
        into.setdefault(name, []).append((answer.status, answer.body.decode()))
        return answer

    with tempfile.TemporaryDirectory() as folder, Simulator(Path(folder), vms=3) as simulator:
        simulator.order("version", api="8.0.2.0")
        with simulator.connect() as session:
            for name in ("first", "second"):
                ref = _of(session, "web01")
                wait(session, [snapshots.create_snapshot(session, ref, name, "")], timeout=20)
            _tag(simulator, _of(session, "web01"))
        Connection.request = recording  # type: ignore[method-assign]
        with simulator.connect() as session:
            pass
        records[CONNECTING] = into
        for name, operation in OPERATIONS.items():
            Connection.request = request  # type: ignore[method-assign]
            with simulator.connect() as session:
                into = records.setdefault(name, {})
                Connection.request = recording  # type: ignore[method-assign]
                simulator.order("clear")
                simulator.order("version", api="8.0.2.0")
                for method in ("PowerOffVM_Task", "PowerOnVM_Task"):
                    simulator.order("taskdelay", method=method, ms=1500)
                operation(session)
                Connection.request = request  # type: ignore[method-assign]
    text = json.dumps(records, indent=0, ensure_ascii=False) + "\n"
    RECORDS.write_text(re.sub(r"/tmp/govcsim-[\w-]+", "/tmp/govcsim", text))


def _tag(simulator: Simulator, vm: str) -> None:
    """A category with a tag for a VM."""
    context = ssl.create_default_context(cafile=str(simulator.certificate))
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    site = f"https://127.0.0.1:{simulator.port}"
    passwords.add_password(None, site, USERNAME, PASSWORD, is_authenticated=True)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPBasicAuthHandler(passwords),
    )
    headers: dict[str, str] = {}

    def ask(path: str, body: dict[str, Any]) -> Any:
        asked = urllib.request.Request(f"{site}/api/{path}", json.dumps(body).encode(), headers)  # noqa: S310
        with opener.open(asked) as response:
            text = response.read()
        return json.loads(text) if text else None

    headers["vmware-api-session-id"] = ask("session", {})
    spec: dict[str, Any] = {"name": "Role", "description": ""}
    of_category = {"cardinality": "MULTIPLE", "associable_types": []}
    category = ask("cis/tagging/category", {"create_spec": spec | of_category})
    tag = ask(
        "cis/tagging/tag",
        {"create_spec": {"name": "db", "description": "", "category_id": category}},
    )
    thing = {"object_id": {"type": "VirtualMachine", "id": vm}}
    ask(f"cis/tagging/tag-association/{tag}?action=attach", thing)


if __name__ == "__main__":
    main()
