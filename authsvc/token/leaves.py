"""The certificates of all nodes' signing keys, so that each node's gate takes the others' tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, or_, select, update

from authsvc.core import versioning
from authsvc.core.certificates import BACKDATED, is_signed_by
from authsvc.core.db import db, utcnow
from authsvc.core.inserts import insert_ignore
from authsvc.core.versioning import VersionReader
from authsvc.token.keys import KEPT, LEAF_DAYS, key_id
from authsvc.token.models import SigningLeaf


def announce(leaf: x509.Certificate) -> None:
    """Let all nodes know a key before it signs anything. Needs a transaction that may write."""
    if insert_ignore(SigningLeaf, key_id=_id(leaf), certificate=_pem(leaf), creation_time=utcnow()):
        versioning.bump(db.session)


def retire(leaves: Iterable[x509.Certificate]) -> None:
    """They sign no more. Needs a transaction that may write."""
    mine = (SigningLeaf.key_id.in_([_id(leaf) for leaf in leaves]), SigningLeaf.retired_at.is_(None))
    db.session.execute(update(SigningLeaf).where(*mine).values(retired_at=utcnow()))


class AnnouncedKeys:
    """The keys of all nodes that our authority has signed, as of one policy version: a key that no node has announced costs no
    more than the question whether that has grown, however many are asked for."""

    def __init__(self, reader: VersionReader, authority: Callable[[], x509.Certificate]) -> None:
        self._reader, self._authority = reader, authority
        self._known: tuple[int, Mapping[str, tuple[ec.EllipticCurvePublicKey, float]]] = (0, {})

    def __call__(self, wanted: str) -> ec.EllipticCurvePublicKey | None:
        """The key of that id, while tokens that it has signed may be about.

        Raises:
            Unavailable: the database does not answer.
        """
        version = self._reader()
        if self._known[0] != version:
            self._known = version, self._read()
        key, until = self._known[1].get(wanted, (None, 0.0))
        return key if time.time() < until else None

    def _read(self) -> dict[str, tuple[ec.EllipticCurvePublicKey, float]]:
        authority = self._authority()
        found = {}
        for certificate, retired_at in self._reader.execute(select(SigningLeaf.certificate, SigningLeaf.retired_at)):
            leaf = x509.load_pem_x509_certificate(certificate.encode())
            key = leaf.public_key()
            if isinstance(key, ec.EllipticCurvePublicKey) and is_signed_by(leaf, authority):
                found[key_id(key)] = key, _end(leaf, retired_at).timestamp()
        return found


def purge() -> None:
    """Forget those whose tokens are all gone."""
    retired = SigningLeaf.retired_at < utcnow() - KEPT - BACKDATED
    expired = SigningLeaf.creation_time < utcnow() - timedelta(days=LEAF_DAYS) - KEPT - BACKDATED
    db.session.execute(delete(SigningLeaf).where(or_(retired, expired)))


def _end(leaf: x509.Certificate, retired_at: datetime | None) -> datetime:
    """When the last token that it may have signed is gone."""
    return min(leaf.not_valid_after_utc, retired_at + KEPT) if retired_at else leaf.not_valid_after_utc


def _id(leaf: x509.Certificate) -> str:
    key = leaf.public_key()
    return key_id(key) if isinstance(key, ec.EllipticCurvePublicKey) else ""


def _pem(leaf: x509.Certificate) -> str:
    return leaf.public_bytes(Encoding.PEM).decode()
