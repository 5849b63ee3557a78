"""The certificate that clients are shown, and the keys that tokens are signed with."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from sqlalchemy import select

from authsvc.core import certificate_files
from authsvc.core.db import db, reading, utcnow
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped
from authsvc.token.keys import KeyStore, key_id
from authsvc.token.models import SigningLeaf

_SOON = timedelta(days=90)
_SHORTEST = 2048  # bits of an RSA key


def _file(patient: Patient) -> Path | None:
    if not patient.settings.tls or patient.at:
        return None
    return patient.settings.tls_certificate or patient.layout.server_certificate


def _certificate(patient: Patient) -> Finding:
    file = _file(patient)
    if file is None:
        return skipped("nginx ends TLS elsewhere")
    error, warning = certificate_files.trouble(file, urlsplit(patient.settings.external_url).hostname or "", utcnow())
    if error:
        return bad(f"{file} {error}", "bring another one to the same place: nginx takes it within a minute")
    return (
        doubtful(f"{file} {warning}", "renew it: nginx takes a new one within a minute")
        if warning
        else good(f"{file} is for this host")
    )


def _strength(patient: Patient) -> Finding:
    file = _file(patient)
    if file is None or not file.exists():
        return skipped("no certificate lies here")
    leaf = x509.load_pem_x509_certificates(file.read_bytes())[0]
    key = leaf.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < _SHORTEST:
        return bad(f"an RSA key of {key.key_size} bits", "clients refuse it: make one of 2048 bits or more, or an EC key")
    if leaf.signature_hash_algorithm is not None and leaf.signature_hash_algorithm.name in ("md5", "sha1"):
        return bad(f"signed with {leaf.signature_hash_algorithm.name}", "clients refuse it: have it signed with SHA-256")
    return good("its key and signature are strong enough")


def _authority(patient: Patient) -> Finding:
    file = patient.layout.ca_certificate
    if patient.settings.tls_certificate or not file.exists():
        return skipped("no authority of ours is in use")
    return _expiry(
        x509.load_pem_x509_certificate(file.read_bytes()),
        "every client has to trust a new one: plan it, or bring a certificate of yours",
    )


def _expiry(certificate: x509.Certificate, advice: str, soon: timedelta = _SOON) -> Finding:
    left = certificate.not_valid_after_utc - utcnow()
    if left < timedelta(0):
        return bad(f"expired at {certificate.not_valid_after_utc:%Y-%m-%d}", advice)
    return (
        doubtful(f"expires in {left.days} days", advice)
        if left < soon
        else good(f"good until {certificate.not_valid_after_utc:%Y-%m-%d}")
    )


def _token_authority(patient: Patient) -> Finding:
    return _expiry(
        KeyStore(patient.layout.keys).authority,
        "the registry has to be given a new one, with a restart: docs/operations.md, Keys",
    )


def _leaf(patient: Patient) -> Finding:
    leaf, _ = KeyStore(patient.layout.keys).leaves()
    return _expiry(
        leaf, "run `authsvc keys rotate`; a worker or `authsvc up` does it by itself: see why it does not", timedelta(days=25)
    )


def _known_leaf(patient: Patient) -> Finding:
    """Other nodes' gates look keys up in the database."""
    leaf, _ = KeyStore(patient.layout.keys).leaves()
    identifier = key_id(leaf.public_key())  # type: ignore[arg-type] # ours are all EC
    with patient.app.app_context(), reading():
        is_known = db.session.scalar(select(SigningLeaf.id).where(SigningLeaf.key_id == identifier)) is not None
    if is_known:
        return good("other nodes know the key that this one signs with")
    return bad("other nodes do not know the key that this one signs with", "run `authsvc prepare`, or `authsvc keys rotate`")


CHECKS = (
    Check("tls.certificate", _certificate),
    Check("tls.strength", _strength),
    Check("tls.authority", _authority),
    Check("keys.authority", _token_authority),
    Check("keys.leaf", _leaf),
    Check("keys.known", _known_leaf),
)
