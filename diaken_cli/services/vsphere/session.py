"""A session with one vCenter: connect, log in and out, and its clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from pyVmomi import vim

from diaken_cli import bounds
from diaken_cli.errors import Unreachable, VSphereError
from diaken_cli.services.vsphere.connection import Endpoint
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.tls import tls_context
from diaken_cli.services.vsphere.transport import Transport

__all__ = ["About", "Endpoint", "Session", "connect"]


@dataclass(frozen=True)
class About:
    """Which vCenter it is; `instance_uuid` stays the same when its name or address changes."""

    name: str
    version: str
    build: str
    instance_uuid: str


class Session:
    """A logged-in session; use it in a `with`, from one thread.

    vCenter ends a session that was idle for long (30 minutes by default): the next call then logs
    in again by itself. `logins` counts the logins; what belongs to a session in vCenter (views,
    filters) is gone after one.
    """

    def __init__(
        self, endpoint: Endpoint, transport: Transport, content: Any, datacenter: str | None = None
    ) -> None:
        self.endpoint = endpoint
        self.datacenter = datacenter
        self.transport = transport
        self.content = content
        self.logins = 0
        about = content.about
        self.about = About(
            name=bounded_line(about.fullName),
            version=bounded_line(about.version),
            build=bounded_line(about.build),
            instance_uuid=bounded_line(str(about.instanceUuid)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def server(self) -> str:
        """The vCenter's name or address, as it was given."""
        return self.endpoint.server

    @property
    def username(self) -> str:
        """The account, as it was given."""
        return self.endpoint.username

    def log_in(self) -> None:
        """Begin a session, also in the place of one that has ended. Raises LoginRefused."""
        self.transport.forget_session()
        self.content.sessionManager.Login(self.endpoint.username, self.endpoint.password, None)
        self.logins += 1

    def close(self) -> None:
        """Log out and close the connections. A vCenter that is gone ends the session itself."""
        with self.cleaning_up():
            self.content.sessionManager.Logout()
        self.transport.close()

    @contextmanager
    def cleaning_up(self) -> Iterator[None]:
        """For cleaning up in vCenter: brief, and a failure there is not worth an error."""
        with suppress(VSphereError), self.transport.single_try(bounds.VCENTER_TIDYING):
            yield

    def managed(self, kind: Any, reference: str) -> Any:
        """An object of pyVmomi for a reference ("vm-42"): nothing is sent."""
        return kind(reference, self.transport)

    def now(self) -> datetime:
        """The clock of vCenter, in UTC (ServiceInstance.CurrentTime)."""
        moment: datetime = self.managed(vim.ServiceInstance, "ServiceInstance").CurrentTime()
        return moment.astimezone(UTC)


def connect(
    endpoint: Endpoint,
    *,
    datacenter: str | None = None,
    connect_timeout: float = bounds.VCENTER_CONNECT,
) -> Session:
    """Connect and log in; `connect_timeout` is in seconds, for the name, TCP and TLS together.

    `datacenter` is the one that is stored for the vCenter, if any: see `within`.

    Raises Unreachable, CertificateRefused, LoginRefused, VSphereError, and ConfigurationError when
    the CA file can't be read.
    """
    transport = Transport(endpoint, tls_context(endpoint), connect_timeout)
    try:
        negotiated = transport.negotiate()
        content = _service_content(endpoint, transport)
        if not negotiated:
            transport.use_release(str(content.about.apiVersion))
        session = Session(endpoint, transport, content, datacenter)
        session.log_in()
        transport.stay_logged_in(session.log_in, content.propertyCollector)
    except BaseException:
        transport.close()
        raise
    return session


def _service_content(endpoint: Endpoint, transport: Transport) -> Any:
    retrieve: Callable[[], Any] = vim.ServiceInstance("ServiceInstance", transport).RetrieveContent
    content = retrieve()
    if not isinstance(content, vim.ServiceInstanceContent):
        raise Unreachable(
            f"{endpoint.address} answers, but is not a vCenter",
            hint="Check --server.",
        )
    if content.about.apiType != "VirtualCenter":
        raise VSphereError(
            f"{endpoint.server} is {bounded_line(content.about.fullName)}, not a vCenter",
            hint="Use the vCenter that manages it: an ESXi host alone can't clone templates.",
            code="not_a_vcenter",
        )
    return content
