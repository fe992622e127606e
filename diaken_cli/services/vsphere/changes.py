"""The PropertyCollector again: the changes of some objects' properties, as they come.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vmodl.query.PropertyCollector.html
"""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyVmomi import vmodl

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.properties import (
    Properties,
    checked_properties,
    property_spec,
    reference,
)
from diaken_cli.services.vsphere.session import Session

_RESTARTS = 3
"""How often watching begins anew before any change has come: a session may end once, not each."""

WAIT_SECONDS = 1
"""How long vCenter holds a call that waits for changes; stop flags are looked at in between."""

LEAST_SECONDS = 0.05
"""Between two calls without changes."""

_query = vmodl.query.PropertyCollector


def watch(
    session: Session, kind: Any, references: Sequence[str], paths: Sequence[str]
) -> Generator[dict[str, Properties], None, None]:
    """The objects' properties first, then what changed, by reference; {} when a second was quiet.

    It goes on for ever: close it to end. Raises VSphereError (`gone`) when an object goes away.
    """
    restarts = 0
    while True:
        logins = session.logins
        followed = False
        try:
            with _filter(session, kind, references, paths) as collector:
                for changes in updates(session, collector):
                    followed = True
                    restarts = 0
                    yield changes
        except VSphereError as fault:
            # A filter goes with its session, at once or with the next login; a new one tells all
            # anew, or that the object itself is gone.
            restarts += 1
            if restarts > _RESTARTS or (
                session.logins == logins and not (followed and fault.code == "gone")
            ):
                raise


@contextmanager
def _filter(
    session: Session, kind: Any, references: Sequence[str], paths: Sequence[str]
) -> Iterator[Any]:
    collector = session.content.propertyCollector.CreatePropertyCollector()
    try:
        add_filter(session, collector, kind, references, paths)
        yield collector
    finally:
        with session.cleaning_up():
            collector.DestroyPropertyCollector()


def add_filter(
    session: Session, collector: Any, kind: Any, references: Iterable[str], paths: Sequence[str]
) -> None:
    """Have a collector report changes of these objects, too."""
    spec = _query.FilterSpec(
        objectSet=[_query.ObjectSpec(obj=session.managed(kind, ref)) for ref in references],
        propSet=[property_spec(session, kind, paths)],
    )
    # A changed part of a list would come under a path of its own: guest.net[4000].ipAddress.
    collector.CreateFilter(spec, partialUpdates=False)


def updates(session: Session, collector: Any) -> Iterator[dict[str, Properties]]:
    """The changes that a collector reports, as `watch` gives them. Raises VSphereError (`gone`)."""
    version = ""
    options = _query.WaitOptions(maxWaitSeconds=WAIT_SECONDS)
    while True:
        started = time.monotonic()
        update = collector.WaitForUpdatesEx(version, options)
        changes: dict[str, Properties] = {}
        if update is not None:
            version = update.version
            for entry in (entry for part in update.filterSet for entry in part.objectSet):
                if entry.kind == "leave":
                    gone = bounded_line(reference(entry.obj))
                    raise VSphereError(f"{gone} no longer exists", code="gone")
                changed = changes.setdefault(reference(entry.obj), {})
                changed.update(checked_properties(session, entry.obj, entry.changeSet))
        if not changes:  # one that does not wait by itself is not asked without a pause
            time.sleep(max(0.0, LEAST_SECONDS - (time.monotonic() - started)))
        yield changes
