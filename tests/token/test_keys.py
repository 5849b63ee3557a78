"""Keys and tokens by the registry's own rules: chain to the authority, P-256, raw signature, libtrust key id."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from authsvc.core import certificates
from authsvc.core.errors import InvalidCredentials
from authsvc.token import keys
from authsvc.token.grants import Access
from authsvc.token.issuer import Issuer
from authsvc.token.keys import KeyStore, key_id


def issuer_of(store: KeyStore) -> Issuer:
    return Issuer(store, issuer="tidegate", audience="harbor-registry", lifetime=300)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    made = KeyStore(tmp_path / "keys")
    made.prepare()
    return made


def leaf_of(token: str) -> x509.Certificate:
    (encoded,) = jwt.get_unverified_header(token)["x5c"]
    return x509.load_der_x509_certificate(base64.b64decode(encoded, validate=True))


def test_a_token_verifies_by_the_authority_alone(store: KeyStore) -> None:
    token = issuer_of(store).issue("alice", [Access("repository", "p/a", ("pull",))], int(time.time())).decode()
    leaf = leaf_of(token)
    (authority,) = x509.load_pem_x509_certificates(store.bundle.read_bytes())
    leaf.verify_directly_issued_by(authority)
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="harbor-registry", issuer="tidegate")
    assert isinstance(claims["aud"], str)
    assert all(type(claims[name]) is int for name in ("exp", "iat", "nbf"))
    assert len(base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")) == 64
    assert len(token) < 1500


def test_only_the_authority_may_sign_certificates(store: KeyStore) -> None:
    (authority,) = x509.load_pem_x509_certificates(store.bundle.read_bytes())
    leaf = leaf_of(issuer_of(store).issue("", [], int(time.time())).decode())
    for certificate, is_ca in ((authority, True), (leaf, False)):
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is is_ca
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.digital_signature) == (is_ca, not is_ca)
    assert leaf.not_valid_before_utc < datetime.now(UTC)
    assert (datetime.now(UTC) - leaf.not_valid_before_utc).total_seconds() > 600
    with pytest.raises(VerificationError):  # a token key is no TLS server's
        PolicyBuilder().store(Store([authority])).build_client_verifier().verify(leaf, [])


def test_files_are_private_and_looser_ones_are_refused(store: KeyStore) -> None:
    directory = store.bundle.parent
    for path in directory.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    (directory / "leaf.pem").chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        store.signer()


def test_rotation_keeps_old_tokens_good_and_needs_no_new_issuer(store: KeyStore) -> None:
    issuer = issuer_of(store)
    before = issuer.issue("alice", [], int(time.time())).decode()
    bundle = store.bundle.read_bytes()
    first, second = store.signer().key_id, store.rotate()
    assert first != second
    issuer.refresh()
    after = issuer.issue("alice", [], int(time.time())).decode()
    assert jwt.get_unverified_header(after)["kid"] == second
    assert issuer.verify(before).subject == issuer.verify(after).subject == "alice"
    assert store.bundle.read_bytes() == bundle


def test_a_token_outlives_any_number_of_rotations(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its time, not by their number; also at a process that has not seen it before."""
    token = issuer_of(store).issue("alice", [], int(time.time())).decode()
    for _ in range(10):
        store.rotate()
    assert issuer_of(store).verify(token).subject == "alice"
    assert len(store.public_keys()) == 11
    monkeypatch.setattr(keys, "utcnow", lambda: datetime.now(UTC) + timedelta(hours=2))
    store.rotate()
    assert len(store.public_keys()) == 2, "nobody needs the others any more"


def test_keys_of_the_future_are_made_anew(store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was days ahead when they were made, and was set right since."""

    def ahead(days: int) -> None:
        for module in (certificates, keys):
            monkeypatch.setattr(module, "utcnow", lambda: datetime.now(UTC) + timedelta(days=days))

    assert not store.is_due()
    ahead(3)
    store.rotate()
    ahead(0)
    assert store.is_due()
    bundle = store.bundle.read_bytes()
    store.prepare()
    assert not store.is_due()
    assert store.bundle.read_bytes() == bundle
    ahead(3)
    other = KeyStore(tmp_path / "others")
    other.prepare()
    bundle = other.bundle.read_bytes()
    ahead(0)
    other.prepare()
    assert other.bundle.read_bytes() != bundle
    token = issuer_of(other).issue("", [], int(time.time())).decode()
    (authority,) = x509.load_pem_x509_certificates(other.bundle.read_bytes())
    leaf = leaf_of(token)
    leaf.verify_directly_issued_by(authority)
    assert leaf.not_valid_before_utc < datetime.now(UTC) > authority.not_valid_before_utc


def test_a_clock_that_was_an_hour_ahead_harms_nobody(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (certificates, keys):
        monkeypatch.setattr(module, "utcnow", lambda: datetime.now(UTC) + timedelta(hours=1))
    store.rotate()
    leaf = leaf_of(issuer_of(store).issue("", [], int(time.time())).decode())
    assert leaf.not_valid_before_utc < datetime.now(UTC)


def test_who_rotate_at_once_lose_no_leaf(store: KeyStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.rotate(), range(16)))
    assert set(made) <= set(store.public_keys())


def test_forgeries_are_refused(store: KeyStore, tmp_path: Path) -> None:
    issuer = issuer_of(store)
    good = issuer.issue("alice", [], int(time.time())).decode()
    header, payload, signature = good.split(".")
    stranger = KeyStore(tmp_path / "stranger")
    stranger.prepare()
    foreign = issuer_of(stranger).issue("admin", [], int(time.time())).decode()
    own_kid = {**jwt.get_unverified_header(foreign), "kid": store.signer().key_id}
    encoded = base64.urlsafe_b64encode(json.dumps(own_kid).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": store.signer().key_id}).encode()).rstrip(b"=").decode()
    forged = [
        foreign,
        f"{encoded}.{foreign.split('.')[1]}.{foreign.split('.')[2]}",
        f"{none}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        issuer.issue("alice", [], int(time.time()) - 3600).decode(),
        issuer.issue("alice", [], int(time.time()) + 3600).decode(),
        "", "a.b.c", "é.é.é", good + "x",
    ]  # fmt: skip
    for token in forged:
        with pytest.raises(InvalidCredentials):
            issuer.verify(token)


def test_libtrust_key_id() -> None:
    """Computed by hand from RFC 7517's example P-256 key: base32 of 240 bits of SHA-256 of its SPKI."""
    pem = (
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A\n"
        "iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==\n"
        "-----END PUBLIC KEY-----\n"
    )
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    identifier = key_id(key)
    assert len(identifier) == 59
    assert [len(group) for group in identifier.split(":")] == [4] * 12
