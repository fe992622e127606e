"""vCenters: connections by name, with a password that is fetched only when it is needed."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, get_args

from diaken_cli import files, units
from diaken_cli.actions import validate
from diaken_cli.actions.inventory import find_vcenter
from diaken_cli.actions.password_variables import environment_for
from diaken_cli.errors import (
    CertificateRefused,
    ConfigurationError,
    DiakenError,
    InvalidInput,
    Mistake,
    NotFound,
    SecretError,
    Unreachable,
    VSphereError,
)
from diaken_cli.inventory_options import VCENTER_OPTIONS, VCenterOptions
from diaken_cli.options import in_order, parse
from diaken_cli.services import credentials
from diaken_cli.services.vsphere.browse import InventoryRow, Kind, browse
from diaken_cli.services.vsphere.inventory import read_inventory
from diaken_cli.services.vsphere.matching import NO_DATACENTER, permitted_datacenter
from diaken_cli.services.vsphere.privileges import missing_privileges
from diaken_cli.services.vsphere.session import Endpoint, Session, connect
from diaken_cli.store import Store
from diaken_cli.store.records import VCenterRecord, VCenterValues
from diaken_cli.types import SecretKind

KINDS: tuple[Kind, ...] = get_args(Kind)
NOT_STORED = "Nothing was stored; --no-test stores it without logging in"
NOT_CHANGED = "Nothing was changed; --no-test changes it without logging in"
SECRETS = {
    SecretKind.COMMAND: "password_command",
    SecretKind.FILE: "password_file",
    SecretKind.ENV: "password_env",
}
"""Of each place for a password the field of its option."""

CLOCK_TOLERANCE = 60.0
"""Seconds that vCenter's clock and ours may differ: retention goes by vCenter's."""


@dataclass(frozen=True)
class ConnectionTest:
    """What a connection showed: which vCenter it is, and what may be in the way.

    `datacenter` is the inventory path of the stored one, `datacenters` those of all;
    `clock_difference` is vCenter's clock minus ours, in seconds; `missing_privileges`, on that
    datacenter or on all, is None where vCenter does not tell.
    """

    name: str
    server: str
    product: str
    version: str
    username: str
    datacenter: str | None
    datacenters: tuple[str, ...]
    clock_difference: float
    missing_privileges: tuple[str, ...] | None


def session_of(store: Store, name: str) -> Session:
    """Log in to the vCenter of that name. Raises NotFound, SecretError, and as `connect` does."""
    vcenter = find_vcenter(store, name)
    try:
        return session(vcenter)
    except Unreachable as error:
        error.hint = f"Check that it is up and reachable: diaken vcenters test {vcenter.name}"
        raise
    except CertificateRefused as error:
        error.hint = hint_for(vcenter.name, error)
        raise


def hint_for(vcenter: str, error: CertificateRefused) -> str | None:
    """The error's hint; where it ends with an option, the command that sets it."""
    hint, option = error.hint, error.option
    if hint is None or option is None or not hint.endswith(option):
        return hint
    return f"{hint.removesuffix(option)}diaken vcenters set {vcenter} {option}"


def session(vcenter: VCenterRecord) -> Session:
    """Log in to a vCenter.

    Raises SecretError, Unreachable, LoginRefused, CertificateRefused, ConfigurationError.
    """
    host, _, port = vcenter.server.rpartition(":")
    if vcenter.ca_file is not None:
        try:
            files.check_regular(vcenter.ca_file)  # OpenSSL would wait at a pipe
        except files.FileRefused as fault:
            raise ConfigurationError(
                f"can't read certificates from {vcenter.ca_file}: {fault.strerror}",
                hint="Use CA certificates in PEM format for --ca-file.",
            ) from None
    kind = vcenter.secret_kind
    secret = credentials.resolve(kind, vcenter.secret_ref, environment_for(kind))
    return connect(
        Endpoint(
            server=host,
            port=int(port),
            username=vcenter.username,
            password=secret.reveal(),
            ca_file=vcenter.ca_file,
            insecure=vcenter.insecure,
        ),
        datacenter=vcenter.datacenter,
    )


def add_vcenter(store: Store, *, name: str | None, typed: VCenterOptions) -> VCenterRecord:
    """Add a vCenter without connecting to it.

    Raises InvalidInput with all that is wrong, SecretError for a password file that is not closed.
    """
    checked, values = _new(store, name, typed)
    return store.inventory.add_vcenter(checked, values)


def test_and_add(
    store: Store, *, name: str | None, typed: VCenterOptions
) -> tuple[VCenterRecord, ConnectionTest]:
    """Log in to a vCenter, and add it when that went well.

    Raises as `add_vcenter` and `test` do; then nothing is stored.
    """
    checked, values = _new(store, name, typed)
    candidate = VCenterRecord(id=0, name=checked, hosts=0, **vars(values))
    tested = _test_before(candidate, typed, NOT_STORED)
    return store.inventory.add_vcenter(checked, values), tested


def set_vcenter(store: Store, vcenter: VCenterRecord, *, typed: VCenterOptions) -> VCenterRecord:
    """Change what is said of a vCenter without connecting to it. Raises as `add_vcenter` does."""
    return store.inventory.set_vcenter(vcenter, _changed(vcenter, typed))


def test_and_set(
    store: Store, vcenter: VCenterRecord, *, typed: VCenterOptions
) -> tuple[VCenterRecord, ConnectionTest]:
    """Log in to a vCenter as it would be after a change, and store that when it went well.

    Raises as `set_vcenter` and `test` do; then nothing is changed: what was stored may work.
    """
    values = _changed(vcenter, typed)
    tested = _test_before(replace(vcenter, **vars(values)), typed, NOT_CHANGED)
    return store.inventory.set_vcenter(vcenter, values), tested


def _changed(vcenter: VCenterRecord, typed: VCenterOptions) -> VCenterValues:
    """The values to store for a vCenter after a change."""
    if typed == VCenterOptions():
        raise validate.nothing_to_change("vcenters set")
    reader = validate.Reader()
    values = parse_vcenter(typed, vcenter, reader)
    if values is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    if typed.password_file is not None:
        credentials.check_file(values.secret_ref)
    return values


def _test_before(candidate: VCenterRecord, typed: VCenterOptions, otherwise: str) -> ConnectionTest:
    """Log in before anything is stored; the hint of a failure says how to store without it."""
    try:
        return test(candidate)
    except (VSphereError, SecretError) as refused:
        if refused.code == NO_DATACENTER and typed.datacenter:
            mistake = Mistake("--datacenter", typed.datacenter, refused.message)
            raise InvalidInput([mistake]) from refused
        refused.hint = _as_sentences(refused.hint, otherwise)
        raise


def mistakes_of_new(store: Store, name: str | None, typed: VCenterOptions) -> list[Mistake]:
    """What is wrong or missing in what is said of a new vCenter; nothing is connected to."""
    return validate.mistakes_of(lambda reader: _parse_new(store, name, typed, reader))


def _parse_new(
    store: Store, name: str | None, typed: VCenterOptions, reader: validate.Reader
) -> tuple[str | None, VCenterValues | None]:
    checked = reader.required("NAME", name, units.check_label)
    if checked and store.inventory.vcenter(checked):
        reader.refuse("NAME", checked, f"vCenter {checked} already exists", kind="in_use")
    return checked, parse_vcenter(typed, None, reader)


def _new(store: Store, name: str | None, typed: VCenterOptions) -> tuple[str, VCenterValues]:
    """The values to store for a new vCenter, all checked but for the login."""
    reader = validate.Reader()
    checked, values = _parse_new(store, name, typed, reader)
    if checked is None or values is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    if values.secret_kind is SecretKind.FILE:
        credentials.check_file(values.secret_ref)
    return checked, values


def _as_sentences(*parts: str | None) -> str:
    """Hints after one another, each beginning with a capital and ending with a full stop."""
    sentences = [part.rstrip(".") for part in parts if part]
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in sentences)


def parse_vcenter(
    typed: VCenterOptions, current: VCenterRecord | None, reader: validate.Reader
) -> VCenterValues | None:
    """The values to store for a vCenter; mistakes go into `reader`."""
    mistakes = _mistakes_of_secret(typed, current)
    given = {
        name: value
        for name, value in vars(typed).items()
        if not (mistakes and name in SECRETS.values())
    }
    removable = () if current is None else ("ca_file", "datacenter")
    values, wrong = parse(given, VCENTER_OPTIONS, may_be_empty=removable)
    mistakes += wrong
    if current is None:
        mistakes += [
            Mistake(VCENTER_OPTIONS[name].name, None, "is required")
            for name in ("server", "username")
            if getattr(typed, name) is None
        ]
    if typed.insecure and typed.ca_file:
        mistakes.append(Mistake("--insecure", None, "contradicts --ca-file"))
    reader.mistakes += in_order(mistakes, VCENTER_OPTIONS)
    if mistakes:
        return None
    stored: dict[str, Any] = {"ca_file": None, "insecure": False, "datacenter": None}
    if current is not None:
        stored = {field.name: getattr(current, field.name) for field in fields(VCenterValues)}
    if typed.ca_file:
        stored["insecure"] = False
    for kind, name in SECRETS.items():
        if name in values:
            stored |= {"secret_kind": kind, "secret_ref": values.pop(name)}
    chosen = VCenterValues(**stored | values)
    return replace(chosen, ca_file=None) if chosen.insecure else chosen


def _mistakes_of_secret(typed: VCenterOptions, current: VCenterRecord | None) -> list[Mistake]:
    """The password comes from exactly one place."""
    options = {name: VCENTER_OPTIONS[name].name for name in SECRETS.values()}
    chosen = [name for name in options if getattr(typed, name) is not None]
    if len(chosen) == 1 or (current is not None and not chosen):
        return []
    message = validate.exactly_one(options.values(), given=bool(chosen))
    return [Mistake(options[chosen[0] if chosen else "password_command"], None, message)]


def test(vcenter: VCenterRecord) -> ConnectionTest:
    """Test the connection.

    Raises as `session` does, and VSphereError where the stored datacenter is not there.
    """
    with session(vcenter) as opened:
        difference = (opened.now() - datetime.now(UTC)).total_seconds()
        datacenters = read_inventory(opened).datacenters
        try:
            stored = permitted_datacenter(datacenters, None, vcenter.datacenter)
        except NotFound as missing:
            raise lost_datacenter(vcenter, missing.message) from missing
        return ConnectionTest(
            name=vcenter.name,
            server=vcenter.server,
            product=opened.about.name,
            version=opened.about.version,
            username=vcenter.username,
            datacenter=stored.path if stored else None,
            datacenters=tuple(datacenter.path for datacenter in datacenters),
            clock_difference=round(difference, 1) + 0.0,  # never -0.0
            missing_privileges=missing_privileges(
                opened, datacenter=stored.ref if stored else None
            ),
        )


def look(
    vcenter: VCenterRecord, what: str | None, datacenter: str | None
) -> tuple[InventoryRow, ...]:
    """What a vCenter has of a kind, in a datacenter (else the stored one, the limit, or all).

    Raises InvalidInput for the kind and the datacenter, and as `test` does.
    """
    reader = validate.Reader()
    if what is None:
        reader.refuse("WHAT", None, f"is required; known: {', '.join(KINDS)}")
    kind = reader.optional("WHAT", what, parse_kind, None, may_be_empty=False)
    if kind is None:
        raise InvalidInput(reader.mistakes)
    with session(vcenter) as opened:
        try:
            return browse(opened, kind, datacenter, vcenter.datacenter)
        except NotFound as missing:
            raise datacenter_error(vcenter, datacenter, missing) from missing


def parse_kind(text: str) -> Kind:
    """A kind of things to browse, also in the singular and whatever its case."""
    wanted = text.casefold()
    for kind in KINDS:
        if wanted in (kind, kind.removesuffix("s")):
            return kind
    raise ValueError(f"{text!r} is not one of: {', '.join(KINDS)}")


def datacenter_error(vcenter: VCenterRecord, typed: str | None, missing: NotFound) -> DiakenError:
    """What `permitted_datacenter` raised: a mistake, or about the stored datacenter."""
    if typed is None or missing.code == NO_DATACENTER:
        return lost_datacenter(vcenter, missing.message)
    return InvalidInput([Mistake("--datacenter", typed, missing.message)])


def lost_datacenter(vcenter: VCenterRecord, reason: str) -> VSphereError:
    """What is wrong where the stored datacenter of a vCenter is not there, or one of several."""
    return VSphereError(
        f"vCenter {vcenter.name} has {reason}",
        code=NO_DATACENTER,
        hint=f"Choose another one: diaken vcenters set {vcenter.name} --datacenter D",
    )
