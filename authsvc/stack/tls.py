"""The TLS certificate that nginx serves: the operator's, or one below an authority that we make for this installation."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from authsvc.core import certificate_files, certificates
from authsvc.core.crypto import read_private, write_private
from authsvc.core.db import utcnow
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings

_CA_YEARS = 10
_DAYS = 397  # the longest that browsers accept
_RENEWED_BEFORE = timedelta(days=60)


def prepare(settings: Settings, directory: Path | None = None) -> tuple[Path, Path]:
    """The certificate and key for nginx; ours, in a directory, is made if it is missing, for another host, or about to expire.

    Raises:
        PreconditionFailed: the operator's cannot be used.
    """
    if settings.tls_certificate and settings.tls_key:
        given = settings.tls_certificate.absolute(), settings.tls_key.absolute()
        certificate_files.must_serve(*given)
        return given
    layout = Layout(settings)
    ca_key = layout.tls / "ca.key"
    if not ca_key.exists() or certificates.is_of_the_future(_read(layout.ca_certificate)):
        authority = certificates.authority(f"Tidegate CA of {socket.gethostname()}", _CA_YEARS)
        write_private(layout.ca_certificate, authority.certificate_pem)
        write_private(ca_key, authority.key_pem)
    place, hosts = directory or layout.tls, _hosts(settings)
    certificate, key = place / "server.crt", place / "server.key"
    authority = certificates.load(read_private(ca_key), layout.ca_certificate.read_bytes())
    if not certificate.exists() or not _serves(certificate, hosts, authority.certificate):
        leaf = certificates.leaf(hosts[0], authority, _DAYS, hosts)
        write_private(key, leaf.key_pem)
        write_private(certificate, leaf.certificate_pem)
    return certificate, key


def _hosts(settings: Settings) -> list[str]:
    host = urlsplit(settings.external_url).hostname or "localhost"
    return list(dict.fromkeys([host, "localhost", "127.0.0.1", *settings.mirrors]))


def _serves(path: Path, hosts: list[str], authority: x509.Certificate) -> bool:
    certificate = _read(path)
    if not certificates.is_signed_by(certificate, authority):
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    has = {str(name.value) for name in names}
    is_good = certificate.not_valid_after_utc - utcnow() > _RENEWED_BEFORE and not certificates.is_of_the_future(certificate)
    return is_good and set(hosts) <= has


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())
