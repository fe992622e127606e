"""The PropertyCollector: many objects' properties in one call; see also `changes`.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vmodl.query.PropertyCollector.html
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

from pyVmomi import vim, vmodl
from pyVmomi.VmomiSupport import ManagedObject

from diaken_cli import bounds
from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere import versions
from diaken_cli.services.vsphere.deserializer import Unreadable
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.session import Session
from diaken_cli.units import format_size

Properties = dict[str, Any]
"""Property path ("config.template") to its value; what is unset or can't be read is left out.

So is what this vCenter's version of the API does not have, and what could not be understood: see
`not_understood`.
"""

PAGES = (500, 50, 5)
"""Objects in one answer: large enough for few calls, small enough that none takes long.

The smaller ones are for objects of which as many would be larger than an answer may be.
"""

_query = vmodl.query.PropertyCollector

Built = TypeVar("Built")


class _ObjectProperties(dict[str, Any]):
    """Properties of an object; to read one that vCenter did not give raises VSphereError.

    `odd` is why a property could not be understood, by its path.
    """

    __slots__ = ("odd", "of")

    def __init__(self, of: str, values: Mapping[str, Any], odd: Mapping[str, str]) -> None:
        super().__init__(values)
        self.of = of
        self.odd = odd

    def __missing__(self, path: str) -> Any:
        if path in self.odd:
            name = self.get("name")
            of = f"{bounded_line(name)} ({self.of})" if isinstance(name, str) else self.of
            raise VSphereError(
                f"vCenter answers for {of} with something unknown: {path} ({self.odd[path]})",
                hint="Check that object in vCenter; a newer diaken may know what it has there.",
                code="unexpected_answer",
            )
        raise VSphereError(
            f"vCenter does not report {path} of {self.of}",
            hint="Check in vCenter that the account may read that object.",
            code="not_readable",
        )


def not_understood(values: Properties) -> Mapping[str, str]:
    """Why properties of an object could not be understood, by their paths."""
    return values.odd if isinstance(values, _ObjectProperties) else {}


@dataclass(frozen=True)
class InventoryObject:
    """An object of the inventory: pyVmomi's object, its reference and the properties asked for."""

    managed: Any
    reference: str
    values: Properties


def reference(managed: Any) -> str:
    """The reference ("vm-42") of pyVmomi's object."""
    return str(managed._GetMoId())  # noqa: SLF001  public and official, says pyVmomi


def collect(session: Session, paths: Mapping[Any, Sequence[str]]) -> list[InventoryObject]:
    """Every object of these kinds in the inventory, by one query over a container view."""
    most = bounds.VCENTER_QUERY_MEMORY
    return _in_pages(session, lambda page: list(_collect(session, paths, page, most)), also="gone")


def collect_as(
    session: Session, paths: Mapping[Any, Sequence[str]], build: Callable[[InventoryObject], Built]
) -> list[Built]:
    """What `build` makes of each object; pyVmomi's own objects are dropped page by page."""

    def query(page: int) -> list[Built]:
        most = bounds.VCENTER_PASSING_MEMORY
        return [build(entry) for entry in _collect(session, paths, page, most)]

    return _in_pages(session, query, also="gone")


def _in_pages(
    session: Session, query: Callable[[int], list[Built]], *, also: str | None = None
) -> list[Built]:
    """What a query finds, begun anew once for an ended session, and in smaller pages."""
    logins = session.logins
    renewed = False
    sizes = list(PAGES)
    while True:
        try:
            return query(sizes[0])
        except VSphereError as fault:
            if fault.code == "too_large" and len(sizes) > 1:
                sizes.pop(0)
            elif not renewed and (session.logins != logins or fault.code == also):
                # The session ended in the middle and took the view with it: what was under way
                # at that moment finds it gone, and logs in only with the next call.
                renewed = True
            else:
                raise


def _collect(
    session: Session, kinds: Mapping[Any, Sequence[str]], page: int, most: int
) -> Iterator[InventoryObject]:
    content = session.content
    view = content.viewManager.CreateContainerView(content.rootFolder, list(kinds), recursive=True)
    try:
        through = _query.TraversalSpec(type=type(view), path="view", skip=False)
        spec = _query.FilterSpec(
            objectSet=[_query.ObjectSpec(obj=view, skip=True, selectSet=[through])],
            propSet=[property_spec(session, kind, paths) for kind, paths in kinds.items()],
        )
        for entry in _pages(session, spec, page, most):
            if isinstance(entry.managed, tuple(kinds)):  # else it was told of, and left out
                yield entry
    finally:
        with session.cleaning_up():
            view.DestroyView()


def property_spec(session: Session, kind: Any, paths: Sequence[str]) -> Any:
    """What to read of a kind, as far as the version of the API that is used has it."""
    version = session.transport.version
    known = [path for path in paths if _is_in(version, kind, path)]
    return _query.PropertySpec(type=kind, pathSet=known)


@lru_cache(maxsize=1000)
def _is_in(version: str, kind: Any, path: str) -> bool:
    """Whether a version of the API has that property; what pyVmomi does not know is asked for."""
    try:
        for name in path.split("."):
            field = kind._GetPropertyInfo(name)  # noqa: SLF001  public and official
            if not versions.has(version, field.version):
                return False
            kind = field.type
    except AttributeError:
        return True
    return True


def read(
    session: Session, kind: Any, references: Iterable[str], paths: Sequence[str]
) -> dict[str, Properties]:
    """The properties of these objects by their references; an object that is gone is left out."""
    objects = [session.managed(kind, ref) for ref in dict.fromkeys(references)]
    requested = {reference(managed) for managed in objects}
    entries = _read(session, kind, objects, paths)
    return {entry.reference: entry.values for entry in entries if entry.reference in requested}


def read_one(session: Session, managed: Any, paths: Sequence[str]) -> Properties:
    """The properties of one object. Raises VSphereError (`gone`)."""
    for entry in _read(session, type(managed), [managed], paths):
        return entry.values
    raise VSphereError(f"{bounded_line(reference(managed))} no longer exists", code="gone")


def _read(
    session: Session, kind: Any, objects: list[Any], paths: Sequence[str]
) -> list[InventoryObject]:
    if not objects:
        return []
    spec = _query.FilterSpec(
        objectSet=[_query.ObjectSpec(obj=managed) for managed in objects],
        propSet=[property_spec(session, kind, paths)],
        reportMissingObjectsInResults=True,
    )
    most = bounds.VCENTER_QUERY_MEMORY
    return _in_pages(session, lambda page: list(_pages(session, spec, page, most)))


def _pages(session: Session, spec: Any, page: int, most: int) -> Iterator[InventoryObject]:
    """The objects of all pages; `most` is what their values may take of memory, in bytes.

    Raises VSphereError, too, for a list without an end.
    """
    collector = session.content.propertyCollector
    kinds = {part.type: part.pathSet for part in spec.propSet}
    started = time.monotonic()
    weight = 0
    answer = collector.RetrievePropertiesEx([spec], _query.RetrieveOptions(maxObjects=page))
    for number in range(1, bounds.VCENTER_PAGES + 1):
        if answer is None:
            return
        weight += session.transport.weight
        if weight > most:
            raise _unending(session, f"they take more than {format_size(most)} of memory")
        for content in answer.objects:
            values = _readable(session, content, kinds)
            yield InventoryObject(content.obj, reference(content.obj), values)
        if not answer.token:
            return
        if not answer.objects:
            raise _unending(session, f"page {number} is empty, and not the last one")
        if time.monotonic() - started > bounds.VCENTER_QUERY:
            raise _unending(session, f"not all have come after {bounds.VCENTER_QUERY:g} s")
        answer = collector.ContinueRetrievePropertiesEx(answer.token)
    raise _unending(session, f"there are more than {bounds.VCENTER_PAGES} pages of them")


def _unending(session: Session, why: str) -> VSphereError:
    return VSphereError(
        f"the object list of vCenter {session.server} does not end: {why}",
        hint="An account that can see fewer objects gets a shorter list.",
        code="unexpected_answer",
    )


def _readable(
    session: Session, content: Any, kinds: Mapping[Any, Sequence[str]]
) -> _ObjectProperties:
    """The properties that there are of an object; none of one of a kind that was not asked for."""
    for missing in content.missingSet:
        # An ended session may also show like this, with an answer full of holes.
        if isinstance(missing.fault, vim.fault.NotAuthenticated):
            session.log_in()
            raise VSphereError("the session ended in the middle", code="not_authenticated")
    if not isinstance(content.obj, tuple(kinds)):
        why = f"{type(content.obj).__name__} in the place of another kind"
        ref = bounded_line(reference(content.obj))
        session.transport.report_odd(f"{ref}: {why}")
        return _ObjectProperties(ref, {}, dict.fromkeys(chain(*kinds.values()), why))
    properties = checked_properties(session, content.obj, content.propSet)
    for path in [path for path, value in properties.items() if value is None]:
        del properties[path]
    return properties


def checked_properties(
    session: Session, managed: Any, property_set: Iterable[Any]
) -> _ObjectProperties:
    """Properties by their paths, without those that are of another type than they are to be."""
    kind: Any = type(managed)
    values: dict[str, Any] = {}
    odd: dict[str, str] = {}
    for entry in property_set:
        value = entry.val
        declared = _declared(kind, entry.name)
        if _lists_references(value, declared):
            kept = [target for target in value if _is(target, declared.Item)]
            if len(kept) < len(value):
                session.transport.report_odd(f"{bounded_line(entry.name)} lists other things, too")
            value = kept
        if isinstance(value, Unreadable):
            odd[bounded_line(entry.name)] = value.why
        elif value is not None and not _is(value, declared):
            odd[bounded_line(entry.name)] = f"{type(value).__name__} in the place of another type"
        else:
            values[entry.name] = value
    ref = bounded_line(reference(managed))
    for path, why in odd.items():
        session.transport.report_odd(f"{path} of {ref}: {why}")
    return _ObjectProperties(ref, values, odd)


def _lists_references(value: Any, declared: Any) -> bool:
    """Whether it is a list of objects where one is to be: those of another kind can be left out."""
    return (
        declared is not None
        and issubclass(declared, list)
        and isinstance(value, list)
        and issubclass(declared.Item, ManagedObject)
    )


def _is(value: Any, declared: Any) -> bool:
    if declared is None:
        return False
    if isinstance(value, declared):
        return True
    if issubclass(declared, list) and isinstance(value, list):
        return all(_is(element, declared.Item) for element in value)
    if declared is type:  # a type's name
        return isinstance(value, str)
    if type(value) is ManagedObject:  # a reference to something of a kind that pyVmomi has not
        return issubclass(declared, ManagedObject)
    basic = (int, str)  # in the place of one of their own kinds: a long, an enumeration
    return any(issubclass(declared, kind) and isinstance(value, kind) for kind in basic)


@lru_cache(maxsize=1000)
def _declared(kind: Any, path: str) -> Any:
    """The type that the API gives to a property of a type; None where it has none such."""
    for name in path.split("."):
        try:
            kind = kind._GetPropertyInfo(name).type  # noqa: SLF001  public and official
        except AttributeError:
            return None
    return kind
