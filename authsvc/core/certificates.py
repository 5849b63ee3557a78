"""X.509 certificates (RFC 5280) below small authorities of our own: one for token keys, one for TLS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from authsvc.core.db import utcnow

# Clocks differ, and are set back; what verifies a certificate need not be later than we were when we made it.
BACKDATED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def load(key_pem: bytes, certificate_pem: bytes) -> Pair:
    """A pair from PEM.

    Raises:
        ValueError: not an EC key, or not readable.
    """
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an EC key")  # noqa: TRY004 - the value of a file, not the type of an argument
    return Pair(key, x509.load_pem_x509_certificate(certificate_pem))


def is_of_the_future(certificate: x509.Certificate) -> bool:
    """Whether it was made while our clock was far ahead, so that nobody takes it now."""
    return certificate.not_valid_before_utc > utcnow()


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether that authority made it, and no other one of the same name."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def authority(name: str, years: int) -> Pair:
    """A new authority, which signs itself."""
    key = new_key()
    return Pair(key, _sign(name, key, None, timedelta(days=365 * years), []))


def leaf(name: str, issuer: Pair, days: int, hosts: list[str] | None = None) -> Pair:
    """A new key below an authority; with `hosts` (names or addresses) a TLS server's, else one for signatures only."""
    key = new_key()
    extensions: list[x509.ExtensionType] = []
    if hosts:
        extensions = [
            x509.SubjectAlternativeName([_general_name(host) for host in hosts]),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        ]
    return Pair(key, _sign(name, key, issuer, timedelta(days=days), extensions))


def new_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key whose coordinates do not begin with a zero byte: registry 3.1 drops those when it hashes a key."""
    while True:
        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        if min(numbers.x, numbers.y) >> 248:
            return key


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: Pair | None,
    validity: timedelta,
    extensions: list[x509.ExtensionType],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    signing_key = issuer.key if issuer else key
    is_authority = issuer is None
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utcnow() - BACKDATED)
        .not_valid_after(utcnow() + validity)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signing_key, hashes.SHA256())
