"""TLS with a vCenter: how its certificate is verified, and what is wrong with one that is not."""

import shlex
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diaken_cli import bounds, trust
from diaken_cli.errors import CertificateRefused, ConfigurationError
from diaken_cli.services.vsphere.connection import Endpoint, TimeLimits, open_tcp
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.text import MOST_NAMES, join_names

# OpenSSL's X509_V_ERR_* numbers, and a flag, from its x509_vfy.h.
_NOT_YET_VALID = 9
_DATES = {_NOT_YET_VALID: "it is not valid yet", 10: "it has expired"}
_OTHER_NAMES = {62: "it was issued for another name", 64: "it was issued for another address"}
_UNTRUSTED = {
    18: "it is self-signed",
    19: "its chain ends in a certificate authority that is not trusted here",
    20: "its certificate authority is not trusted here",
    21: "its certificate authority is not trusted here",
}
_NO_CHECK_TIME = 0x200000

Certificate = Mapping[str, Any]
"""A verified certificate, as `SSLSocket.getpeercert` has it."""


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """TLS 1.2 or later, always verified unless the user said otherwise."""
    if endpoint.ca_file is not None and (exposure := trust.open_to_all(Path(endpoint.ca_file))):
        raise ConfigurationError(
            f"the CA file {endpoint.ca_file} is not safe to use: {exposure.problem}",
            hint=f"Fix it: {exposure.fix}",
        )
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigurationError(
            f"can't read certificates from {endpoint.ca_file}: {fault}",
            hint="Use CA certificates in PEM format for --ca-file.",
        ) from fault
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A file with just the vCenter's own certificate pins it. Python 3.13's strict mode would
    # refuse certificates without an authority key identifier, as many a company's CA issues.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if endpoint.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def certificate_refused(
    endpoint: Endpoint, reason: ssl.SSLCertVerificationError
) -> CertificateRefused:
    """Our error for a certificate that was refused.

    Where names or dates are wrong, it is looked at in a connection of its own.
    """
    code = reason.verify_code
    if code in _OTHER_NAMES:
        why, hint, option = _other_names(_OTHER_NAMES[code], _presented(endpoint), endpoint.port)
    elif code in _DATES:
        why, hint, option = *_wrong_dates(code, _presented(endpoint), datetime.now(UTC)), None
    else:
        why, hint = _not_trusted(endpoint, reason)
        option = "--ca-file FILE"
    message = f"the certificate of {endpoint.address} can't be verified: {why}"
    return CertificateRefused(message, hint=hint, option=option)


def _presented(endpoint: Endpoint) -> Certificate | None:
    """The certificate that is presented, verified but for its names and dates; nothing is sent.

    None where it can't be had.
    """
    server = endpoint.server.strip("[]")
    limits = TimeLimits.from_now(bounds.VCENTER_CONNECT, bounds.VCENTER_CONNECT)
    try:
        context = tls_context(endpoint)
        context.check_hostname = False
        context.verify_flags |= _NO_CHECK_TIME
        with open_tcp(server, endpoint.port, limits) as plain:
            plain.settimeout(limits.left())
            with context.wrap_socket(plain, server_hostname=server) as tls:
                return tls.getpeercert()
    except (OSError, ValueError, ConfigurationError):
        return None


def _other_names(
    why: str, certificate: Certificate | None, port: int
) -> tuple[str, str, str | None]:
    """What is wrong with its names, what to do, and the option that does it."""
    names = [] if certificate is None else _names(certificate)
    if certificate is None or not names:
        return why, "Use the name that it was issued for with --server.", None
    why += f"; it is for {join_names(names, MOST_NAMES)}"
    if wrong := _date_problem(certificate, datetime.now(UTC)):
        why += f"; and {wrong}"
    # a pattern such as *.example.com can't be connected to
    name = next((name for name in names if "*" not in name), None)
    if name is None:
        return why, "Use a name that it is for with --server.", None
    option = f"--server {shlex.quote(name)}" + ("" if port == 443 else f":{port}")
    return why, f"Use a name that it is for: {option}", option


def _names(certificate: Certificate) -> list[str]:
    """The names and addresses that a certificate is for; OpenSSL looks at a common name last."""
    alternatives = certificate.get("subjectAltName", ())
    names = [name for kind, name in alternatives if kind in ("DNS", "IP Address")]
    if not names:
        parts = [pair for part in certificate.get("subject", ()) for pair in part]
        names = [value for key, value in parts if key == "commonName"]
    return [bounded_line(name) for name in names]


def _wrong_dates(code: int, certificate: Certificate | None, now: datetime) -> tuple[str, str]:
    """What is wrong with its dates, or those of its CA, and what to do."""
    clock = f"this machine's clock: {_moment(now)}"
    if certificate is None:
        why = f"{_DATES[code]} ({clock})"
    elif (own := _date_problem(certificate, now)) is not None:
        why = own
    else:
        until = _moment(_date(certificate, "notAfter"))
        why = f"of a CA certificate in its chain: {_DATES[code]}; its own is good until {until}"
        why += f" ({clock})"
    if code == _NOT_YET_VALID:
        return why, "Check this machine's clock, and vCenter's: timedatectl"
    return why, "Renew it in vCenter; or, where this machine's clock is wrong: timedatectl"


def _date_problem(certificate: Certificate, now: datetime) -> str | None:
    """`it has expired (on …; this machine's clock: …)`, or None where its dates are right."""
    clock = f"this machine's clock: {_moment(now)}"
    begin, end = _date(certificate, "notBefore"), _date(certificate, "notAfter")
    if now < begin:
        return f"it is not valid yet (from {_moment(begin)} on; {clock})"
    return f"it has expired (on {_moment(end)}; {clock})" if now > end else None


def _date(certificate: Certificate, key: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate[key]), UTC)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _not_trusted(endpoint: Endpoint, reason: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Why its chain was refused, and what to do."""
    why = _UNTRUSTED.get(reason.verify_code, reason.verify_message)
    hint = (
        "Give `diaken vcenters add` or `set` the CA certificates with --ca-file FILE; or, on a"
        " trusted network, --insecure."
    )
    if endpoint.ca_file is not None and reason.verify_code in _UNTRUSTED:
        why = f"it was not issued by a CA in {endpoint.ca_file}"
        site = endpoint.address.removesuffix(":443")
        hint = f"vCenter's own CA is in https://{site}/certs/download.zip, as certs/lin/*.0. {hint}"
    return why, hint
