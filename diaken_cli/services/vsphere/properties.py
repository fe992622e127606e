"""The PropertyCollector: many objects' properties in one call, and their changes as they come.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vmodl.query.PropertyCollector.html
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim, vmodl

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.session import Session

Properties = dict[str, Any]
"""Property path ("config.template") to its value; what is unset or may not be read is left out."""

PAGE = 500
"""Objects in one answer: large enough for few calls, small enough that none takes long."""

WAIT_SECONDS = 1
"""How long vCenter holds a call that waits for changes; stop flags are looked at in between."""

_query = vmodl.query.PropertyCollector


@dataclass(frozen=True)
class Found:
    """An object of the inventory: pyVmomi's object, its reference and the properties asked for."""

    managed: Any
    reference: str
    values: Properties


def reference(managed: Any) -> str:
    """The reference ("vm-42") of pyVmomi's object."""
    return str(managed._GetMoId())  # noqa: SLF001  public and official, says pyVmomi


def collect(session: Session, wanted: Mapping[Any, Sequence[str]]) -> list[Found]:
    """Every object of these kinds in the inventory, by one query over a container view."""
    logins = session.logins
    try:
        return list(_collect(session, wanted))
    except VSphereError as fault:
        # The session ended in the middle and took the view with it: what was under way at that
        # moment finds it gone, and logs in only with the next call.
        if session.logins == logins and fault.code != "gone":
            raise
        return list(_collect(session, wanted))


def _collect(session: Session, wanted: Mapping[Any, Sequence[str]]) -> Iterator[Found]:
    content = session.content
    view = content.viewManager.CreateContainerView(content.rootFolder, list(wanted), recursive=True)
    try:
        through = _query.TraversalSpec(type=type(view), path="view", skip=False)
        yield from _pages(
            session,
            _query.FilterSpec(
                objectSet=[_query.ObjectSpec(obj=view, skip=True, selectSet=[through])],
                propSet=[
                    _query.PropertySpec(type=kind, pathSet=list(paths))
                    for kind, paths in wanted.items()
                ],
            ),
        )
    finally:
        with session.tidying():
            view.DestroyView()


def read(
    session: Session, kind: Any, references: Iterable[str], paths: Sequence[str]
) -> dict[str, Properties]:
    """The properties of these objects by their references; an object that is gone is left out."""
    objects = [session.managed(kind, each) for each in dict.fromkeys(references)]
    return {each.reference: each.values for each in _read(session, kind, objects, paths)}


def read_one(session: Session, managed: Any, paths: Sequence[str]) -> Properties:
    """The properties of one object. Raises VSphereError (`gone`)."""
    for found in _read(session, type(managed), [managed], paths):
        return found.values
    raise VSphereError(f"{reference(managed)} does not exist any more", code="gone")


def _read(session: Session, kind: Any, objects: list[Any], paths: Sequence[str]) -> list[Found]:
    if not objects:
        return []
    spec = _query.FilterSpec(
        objectSet=[_query.ObjectSpec(obj=each) for each in objects],
        propSet=[_query.PropertySpec(type=kind, pathSet=list(paths))],
        reportMissingObjectsInResults=True,
    )
    logins = session.logins
    try:
        return list(_pages(session, spec))
    except VSphereError:
        if session.logins == logins:
            raise
        return list(_pages(session, spec))


def _pages(session: Session, spec: Any) -> Iterator[Found]:
    collector = session.content.propertyCollector
    answer = collector.RetrievePropertiesEx([spec], _query.RetrieveOptions(maxObjects=PAGE))
    while answer is not None:
        for each in answer.objects:
            yield Found(each.obj, reference(each.obj), _readable(session, each))
        if not answer.token:
            return
        answer = collector.ContinueRetrievePropertiesEx(answer.token)


def _readable(session: Session, content: Any) -> Properties:
    for missing in content.missingSet:
        # An ended session may also show like this, with an answer full of holes.
        if isinstance(missing.fault, vim.fault.NotAuthenticated):
            session.log_in()
            raise VSphereError("the session ended in the middle", code="not_authenticated")
    return {each.name: each.val for each in content.propSet}


def watch(
    session: Session, kind: Any, references: Sequence[str], paths: Sequence[str]
) -> Generator[dict[str, Properties], None, None]:
    """The objects' properties first, then what changed, by reference; {} when a second was quiet.

    It goes on for ever: close it to end. Raises VSphereError (`gone`) when an object goes away.
    """
    while True:
        logins = session.logins
        followed = False
        try:
            with _filter(session, kind, references, paths) as collector:
                for changes in updates(collector):
                    followed = True
                    yield changes
        except VSphereError as fault:
            # A filter goes with its session, at once or with the next login; a new one tells all
            # anew, or that the object itself is gone.
            if session.logins == logins and not (followed and fault.code == "gone"):
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
        with session.tidying():
            collector.DestroyPropertyCollector()


def add_filter(
    session: Session, collector: Any, kind: Any, references: Iterable[str], paths: Sequence[str]
) -> None:
    """Have a collector tell of these objects, too."""
    spec = _query.FilterSpec(
        objectSet=[_query.ObjectSpec(obj=session.managed(kind, each)) for each in references],
        propSet=[_query.PropertySpec(type=kind, pathSet=list(paths))],
    )
    # A changed part of a list would come under a path of its own: guest.net[4000].ipAddress.
    collector.CreateFilter(spec, partialUpdates=False)


def updates(collector: Any) -> Iterator[dict[str, Properties]]:
    """What a collector tells, as `watch` gives it. Raises VSphereError (`gone`)."""
    version = ""
    options = _query.WaitOptions(maxWaitSeconds=WAIT_SECONDS)
    while True:
        update = collector.WaitForUpdatesEx(version, options)
        changes: dict[str, Properties] = {}
        if update is not None:
            version = update.version
            for each in (each for part in update.filterSet for each in part.objectSet):
                if each.kind == "leave":
                    gone = reference(each.obj)
                    raise VSphereError(f"{gone} does not exist any more", code="gone")
                changed = changes.setdefault(reference(each.obj), {})
                changed.update({change.name: change.val for change in each.changeSet})
        yield changes
