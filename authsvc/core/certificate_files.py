"""A TLS certificate that others made, as it lies on the disk: what is wrong with it, said before anybody is served with it."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from urllib3.util.ssl_match_hostname import CertificateError, match_hostname

from authsvc.core.errors import PreconditionFailed

_SOON = timedelta(days=21)


def must_serve(certificate: Path, key: Path) -> None:
    """Whether a server can start with them.

    Raises:
        PreconditionFailed: one cannot be read, is no PEM, wants a password, or they do not belong together.
    """
    for name, path in (("TIDEGATE_TLS_CERTIFICATE", certificate), ("TIDEGATE_TLS_KEY", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise PreconditionFailed(f"{name}: {path} cannot be read ({error.strerror})") from None
    try:
        _leaf(certificate)
    except ValueError:
        raise PreconditionFailed(f"TIDEGATE_TLS_CERTIFICATE: {certificate} holds no certificate in PEM") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "MISMATCH" in reason:
            raise PreconditionFailed(f"TIDEGATE_TLS_KEY: {key} is not the key of {certificate}") from None
        raise PreconditionFailed(
            f"TIDEGATE_TLS_KEY: {key} cannot be used ({reason.replace('_', ' ').lower()}); a key in PEM without a password is"
            " expected"
        ) from None


def trouble(certificate: Path, host: str, now: datetime) -> tuple[str, str]:
    """What clients that ask for `host` do not like about it, and what they will not like soon; "" each if there is nothing."""
    try:
        leaf = _leaf(certificate)
    except (OSError, ValueError):
        return "cannot be read", ""
    if now > leaf.not_valid_after_utc:
        return f"expired at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", ""
    if now < leaf.not_valid_before_utc:
        return f"is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", ""
    names = _names(leaf)
    try:
        match_hostname({"subjectAltName": names}, host.strip("[]"))
    except (CertificateError, ValueError):
        return f"is for {', '.join(value for _, value in names) or 'no name'}, and not for {host}", ""
    left = leaf.not_valid_after_utc - now
    return "", f"expires in {left.days} days" if left < _SOON else ""


def expiry(certificate: Path) -> datetime | None:
    """When it ends; None if it cannot be read."""
    try:
        return _leaf(certificate).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _leaf(certificate: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates(certificate.read_bytes())[0]


def _names(leaf: x509.Certificate) -> tuple[tuple[str, str], ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = (("DNS", name) for name in names.get_values_for_type(x509.DNSName))
    return (*hosts, *(("IP Address", str(address)) for address in names.get_values_for_type(x509.IPAddress)))
