"""An error that ends a revert before all is done says which VMs may be off."""

from typing import Any

import pytest

from diaken_cli.actions.snapshots.maybe_off import MaybeOff
from diaken_cli.errors import DatabaseError, DiakenError, Locked, StoppedBySignal

OFF = "; VMs that were on before may be off: web2"


class Run:
    """It notes nothing."""

    def note_current(self, facts: dict[str, Any]) -> None:
        pass


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (DatabaseError("the disk is full"), "the disk is full" + OFF),
        (Locked("it is locked", run=7), "it is locked" + OFF),
        (ValueError("no"), "unexpected ValueError: no" + OFF),
        (StoppedBySignal("SIGTERM"), "stopped by SIGTERM" + OFF),
    ],
)
def test_whatever_ends_it_names_them(fault: BaseException, message: str) -> None:
    off = MaybeOff(Run(), ["web1", "web2"])  # type: ignore[arg-type]  # all that it needs
    off.is_on("web1")
    with pytest.raises((DiakenError, StoppedBySignal)) as raised, off.named_in_error():
        raise fault
    assert str(raised.value) == message
    if isinstance(raised.value, DiakenError):
        assert raised.value.headline == message, "these are no reasons of hosts"


def test_where_none_is_off_nothing_is_added() -> None:
    off = MaybeOff(Run(), ["web1"])  # type: ignore[arg-type]  # all that it needs
    off.is_on("web1")
    with pytest.raises(DatabaseError, match=r"^the disk is full$"), off.named_in_error():
        raise DatabaseError("the disk is full")
