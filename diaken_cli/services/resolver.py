"""The IPv4 addresses of names, as this machine resolves them: /etc/hosts, then DNS."""

import queue
import socket
import threading
import time
from collections.abc import Iterable

_WORKERS = 32
_PATIENCE = 30.0  # seconds for all names together


def addresses_of(names: Iterable[str], patience: float = _PATIENCE) -> dict[str, tuple[str, ...]]:
    """The addresses of each name; none where there is none, or no answer within `patience` seconds.

    getaddrinfo(3) can't be interrupted: a thread that still waits for a dead server is left alone.
    """
    unique_names = list(dict.fromkeys(names))
    resolved: dict[str, tuple[str, ...]] = dict.fromkeys(unique_names, ())
    pending: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, tuple[str, ...]]] = queue.SimpleQueue()
    for name in unique_names:
        pending.put(name)

    def work() -> None:
        while True:
            try:
                name = pending.get_nowait()
            except queue.Empty:
                return
            answers.put((name, _resolve(name)))

    for _ in range(min(_WORKERS, len(unique_names))):
        threading.Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + patience
    for _ in unique_names:
        try:
            name, addresses = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        resolved[name] = addresses
    return resolved


def _resolve(name: str) -> tuple[str, ...]:
    try:
        rows = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a name that is none: an empty label, or one that is too long
        return ()
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))
