"""Certificates that operators give: what cannot be served is said before the start, what clients will not like by `/health`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from authsvc.core import certificates
from authsvc.core.certificate_files import trouble
from authsvc.core.certificates import Pair
from authsvc.core.db import utcnow
from authsvc.core.errors import PreconditionFailed
from authsvc.core.settings import Settings
from authsvc.stack import tls

AUTHORITY = certificates.authority("a company", 1)


@pytest.fixture
def given(tmp_path: Path, make_settings: Callable[..., Settings]) -> tuple[Settings, Path, Path]:
    """Settings, a certificate for registry.example.com and its key."""
    leaf = certificates.leaf(
        "registry", AUTHORITY, 90, ["registry.example.com", "*.apps.example.com", "192.0.2.7", "2001:db8::7"]
    )
    certificate, key = written(tmp_path, leaf)
    settings = make_settings(external_url="https://registry.example.com", tls_certificate=certificate, tls_key=key)
    return settings, certificate, key


def written(directory: Path, leaf: Pair) -> tuple[Path, Path]:
    certificate, key = directory / "fullchain.pem", directory / "key.pem"
    certificate.write_bytes(leaf.certificate_pem + AUTHORITY.certificate_pem)
    key.write_bytes(leaf.key_pem)
    return certificate, key


def refused(settings: Settings) -> str:
    with pytest.raises(PreconditionFailed) as error:
        tls.prepare(settings)
    return str(error.value)


def test_a_right_one_is_served(given: tuple[Settings, Path, Path]) -> None:
    settings, certificate, key = given
    assert tls.prepare(settings) == (certificate, key)


def test_what_cannot_be_served_is_said_in_words(given: tuple[Settings, Path, Path]) -> None:
    settings, certificate, key = given
    whole, secret = certificate.read_bytes(), key.read_bytes()
    certificate.unlink()
    assert refused(settings) == f"TIDEGATE_TLS_CERTIFICATE: {certificate} cannot be read (No such file or directory)"
    certificate.write_bytes(secret)
    assert refused(settings) == f"TIDEGATE_TLS_CERTIFICATE: {certificate} holds no certificate in PEM"
    certificate.write_bytes(whole)
    key.write_bytes(AUTHORITY.key_pem)
    assert refused(settings) == f"TIDEGATE_TLS_KEY: {key} is not the key of {certificate}"
    loaded = serialization.load_pem_private_key(secret, None)
    for unusable in (
        b"",
        whole,
        loaded.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"password")
        ),
    ):
        key.write_bytes(unusable)
        said = refused(settings)
        assert said.startswith(f"TIDEGATE_TLS_KEY: {key} cannot be used")
        assert "without a password" in said
    key.unlink()
    assert refused(settings) == f"TIDEGATE_TLS_KEY: {key} cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("registry.example.com", True),
        ("REGISTRY.example.com", True),
        ("one.apps.example.com", True),
        ("192.0.2.7", True),
        ("2001:db8::7", True),
        ("example.com", False),
        ("one.two.apps.example.com", False),
        ("localhost", False),
        ("192.0.2.8", False),
    ],
)
def test_whose_it_is(given: tuple[Settings, Path, Path], host: str, fits: bool) -> None:
    error, warning = trouble(given[1], host, utcnow())
    assert (error == "") == fits
    assert warning == ""
    assert fits or error.endswith(f"and not for {host}")


def test_when_it_is_good(given: tuple[Settings, Path, Path]) -> None:
    now, host = utcnow(), "registry.example.com"
    for days, error, warning in (
        (-2, "is not valid before", ""),
        (68, "", ""),
        (70, "", "expires in 19 days"),
        (91, "expired at", ""),
    ):
        found = trouble(given[1], host, now + timedelta(days=days))
        assert (found[0][: len(error)], found[1]) == (error, warning)
        assert bool(found[0]) == bool(error)
    assert trouble(Path("/nowhere"), host, now) == ("cannot be read", "")
