"""The keys that sign tokens: an EC certificate authority of our own, and a leaf below it that does the signing.

The registry trusts only the authority (`rootcertbundle`, read once at its start); each token carries the leaf (RFC 7515
`x5c`). So leaves rotate with no restart, and one token verifies on registry 2.8 and 3. The authority signs nothing
but leaves and is used for nothing else: any leaf below it can sign tokens.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.core import certificates
from authsvc.core.crypto import read_private, write_private
from authsvc.core.db import utcnow

CA_YEARS = 20
LEAF_DAYS = 90
# For how long a leaf that signs no more is kept: longer than any token of its lives.
KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Signer:
    """A leaf in use: its key, and the token header that goes with it, encoded once."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    header: bytes
    key_id: str
    not_after: float


class KeyStore:
    """The key files below `directory`: `ca.pem`, `ca.key`, `leaf.pem` (key and certificate, swapped as one file) and
    `previous.pem` (certificates of leaves whose tokens may still be about)."""

    def __init__(self, directory: Path) -> None:
        self.bundle = directory / "ca.pem"  # for the registry's `rootcertbundle`
        self._ca_key = directory / "ca.key"
        self._leaf, self._previous = directory / "leaf.pem", directory / "previous.pem"

    def prepare(self) -> None:
        """Make what is missing, or was made while the clock was far ahead; what else exists stays."""
        if not self._ca_key.exists() or certificates.is_of_the_future(self._authority().certificate):
            authority = certificates.authority("Tidegate token authority", CA_YEARS)
            write_private(self.bundle, authority.certificate_pem)
            write_private(self._ca_key, authority.key_pem)
        if not self._leaf.exists() or not self._is_good(self._present().certificate):
            self.rotate()

    def _is_good(self, leaf: x509.Certificate) -> bool:
        """False of one that is below another authority: ours may have come from another node."""
        return certificates.is_signed_by(leaf, self.authority) and not certificates.is_of_the_future(leaf)

    def rotate(self, announce: Callable[[x509.Certificate], None] = lambda _: None) -> str:
        """A new leaf for all tokens from now on, which is announced first; older tokens stay good until they expire. Returns its
        key id."""
        authority = self._authority()
        with self._alone():
            if self._leaf.exists():
                retired = _still_about([self._present().certificate, *self._retired()])
                encoded = [leaf.public_bytes(serialization.Encoding.PEM) for leaf in retired]
                write_private(self._previous, b"".join(encoded))
            leaf = certificates.leaf("Tidegate token signer", authority, LEAF_DAYS)
            announce(leaf.certificate)
            write_private(self._leaf, leaf.key_pem + leaf.certificate_pem)
        return key_id(leaf.key.public_key())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Of two that rotate at once, the second retires the first one's leaf."""
        directory = os.open(self._leaf.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    @property
    def authority(self) -> x509.Certificate:
        """Below which the keys of all nodes are."""
        return x509.load_pem_x509_certificate(self.bundle.read_bytes())

    def leaves(self) -> tuple[x509.Certificate, list[x509.Certificate]]:
        """The one in use, and those before it whose tokens may be about."""
        return self._present().certificate, self._retired()

    def _authority(self) -> certificates.Pair:
        return certificates.load(read_private(self._ca_key), self.bundle.read_bytes())

    def _present(self) -> certificates.Pair:
        content = read_private(self._leaf)
        return certificates.load(content, content)

    def _retired(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates(self._previous.read_bytes()) if self._previous.exists() else []

    def signer(self) -> Signer:
        """The leaf in use.

        Raises:
            PermissionError: others can read the key file.
        """
        leaf = self._present()
        identifier = key_id(leaf.key.public_key())
        chain = [base64.b64encode(leaf.certificate.public_bytes(serialization.Encoding.DER)).decode()]
        header = {"alg": "ES256", "typ": "JWT", "kid": identifier, "x5c": chain}
        return Signer(
            key=leaf.key,
            header=base64.urlsafe_b64encode(json.dumps(header, separators=(",", ":")).encode()).rstrip(b"="),
            key_id=identifier,
            not_after=leaf.certificate.not_valid_after_utc.timestamp(),
        )

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the leaf does."""
        status = self._leaf.stat()
        return status.st_mtime_ns, status.st_ino

    def public_keys(self) -> dict[str, ec.EllipticCurvePublicKey]:
        """The public keys of this leaf and those before it, by key id: what our own gate verifies tokens with."""
        found = (leaf.public_key() for leaf in (self._present().certificate, *self._retired()))
        return {key_id(key): key for key in found if isinstance(key, ec.EllipticCurvePublicKey)}

    def is_due(self) -> bool:
        """True if a third of the leaf's time or less is left, or none of it has come yet."""
        leaf = self._present().certificate
        return leaf.not_valid_after_utc - utcnow() < timedelta(days=LEAF_DAYS / 3) or certificates.is_of_the_future(leaf)


def _still_about(leaves: list[x509.Certificate]) -> list[x509.Certificate]:
    """Those, the newest first, whose tokens may be about: a leaf has signed until the next one was made."""
    since = utcnow() - KEPT - certificates.BACKDATED
    successors = zip(leaves[1:], leaves, strict=False)
    return leaves[:1] + [leaf for leaf, successor in successors if successor.not_valid_before_utc > since]


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """libtrust's key id, as registry 2.8 computes it: 240 bits of SHA-256 of the SPKI in base32, colons every four."""
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, 48, 4))
