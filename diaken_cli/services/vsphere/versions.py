"""The version of the API that calls are made in: the newest that a vCenter and pyVmomi both know.

A vCenter lists the versions that it takes in /sdk/vimServiceVersions.xml, to everybody, and
pyVmomi's own SmartConnect chooses by that list. It is asked first, for it is what the vCenter
itself says that it takes. `about.apiVersion` names its newest version alone, which pyVmomi need not
know, and which of the others it takes would be a guess: so where there is no list (an old release,
a proxy that passes on nothing but calls), the first version of the newest known release is used.
"""

from functools import cache
from xml.parsers import expat

from pyVmomi.VmomiSupport import GetServiceVersions, IsChildVersion, versionIdMap

from diaken_cli import bounds
from diaken_cli.services.vsphere.connection import UnexpectedAnswer

LIST = "/sdk/vimServiceVersions.xml"
OLDEST = "vim.version.version9"
"""vSphere 5.5: the first whose HasPrivilegeOnEntities there is; every vCenter in use knows it."""

_NAMESPACE = "urn:vim25"
_RELEASES = ("9.0.0.0", "8.0.0.0", "7.0.0.0", "6.7", "6.5", "6.0", "5.5")
"""The first versions of releases: a vCenter takes those of each release before its own."""

_LONGEST = 40  # characters of a version
_LAST = True  # expat's flag: nothing follows


@cache
def known_versions() -> dict[str, str]:
    """The names that pyVmomi has for versions, by the vCenter's ("8.0.2.0"), the newest first."""
    listed = GetServiceVersions("vim25")
    return {versionIdMap[name]: name for name in listed if versionIdMap[name]}


def newest_listed(document: bytes) -> str | None:
    """The newest version of such a list that pyVmomi knows, by its name there; None: there is none.

    Raises ExpatError for what is no XML, UnexpectedAnswer for what is no such list.
    """
    listed = _List().read(document)
    return next((name for known, name in known_versions().items() if known in listed), None)


def of_release(api_version: str) -> str:
    """The version to use with a vCenter of that version ("8.0.2.0"), where it lists none."""
    numbers = version_numbers(api_version)
    known = known_versions()
    releases = (r for r in _RELEASES if r in known and version_numbers(r) <= numbers)
    return known.get(next(releases, ""), OLDEST)


def version_numbers(api_version: str) -> tuple[int, ...]:
    """The numbers of a version ("8.0.2.0"), as far as they are some."""
    parts = api_version[:_LONGEST].split(".")
    return tuple(int(part) for part in parts if part.isascii() and part.isdigit())


def has(version: str, since: str) -> bool:
    """Whether what there is since a version is there in another one, both by pyVmomi's names."""
    return bool(IsChildVersion(version, since))


class _List:
    """The versions of the namespace of vSphere's API, of the list's elements."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text = ""
        self._namespace = ""
        self._versions: set[str] = set()
        self._listed: set[str] = set()

    def read(self, document: bytes) -> set[str]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._take
        try:
            parser.Parse(document, _LAST)
        except (ValueError, LookupError) as fault:  # of an encoding that expat or Python lacks
            raise UnexpectedAnswer("no list of versions") from fault
        return self._listed

    def _refuse(self, *_declared: object) -> None:
        raise UnexpectedAnswer("no list of versions")

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._path and (tag, attributes.get("version")) != ("namespaces", "1.0"):
            self._refuse()
        self._path.append(tag)
        if len(self._path) > bounds.VCENTER_DEPTH:
            self._refuse()
        self._text = ""

    def _take(self, text: str) -> None:
        self._text += text

    def _end(self, tag: str) -> None:
        self._path.pop()
        text, self._text = self._text.strip(), ""
        if tag == "name":
            self._namespace = text
        elif tag == "version":
            self._versions.add(text)
        elif tag == "namespace":
            if self._namespace == _NAMESPACE:
                self._listed |= self._versions
            self._namespace, self._versions = "", set()
