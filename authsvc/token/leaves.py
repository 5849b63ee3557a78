"""The certificates of all nodes' signing keys, so that each node's gate takes the others' tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, or_, select, update

from authsvc.core.certificates import BACKDATED, is_signed_by
from authsvc.core.db import db, utcnow
from authsvc.core.inserts import insert_ignore
from authsvc.token.keys import KEPT, key_id
from authsvc.token.models import SigningLeaf


def announce(leaf: x509.Certificate) -> None:
    """Let all nodes know a key before it signs anything. Needs a transaction that may write."""
    insert_ignore(SigningLeaf, key_id=_id(leaf), certificate=_pem(leaf), creation_time=utcnow())


def retire(leaves: Iterable[x509.Certificate]) -> None:
    """They sign no more. Needs a transaction that may write."""
    mine = (SigningLeaf.key_id.in_([_id(leaf) for leaf in leaves]), SigningLeaf.retired_at.is_(None))
    db.session.execute(update(SigningLeaf).where(*mine).values(retired_at=utcnow()))


def public_key(authority: x509.Certificate, wanted: str) -> ec.EllipticCurvePublicKey | None:
    """The key of that id, if tokens of some node that it has signed may be about, and our authority has signed it. Needs a
    transaction."""
    alive = or_(SigningLeaf.retired_at.is_(None), SigningLeaf.retired_at > utcnow() - KEPT)
    row = db.session.scalar(select(SigningLeaf).where(SigningLeaf.key_id == wanted, alive))
    if row is None:
        return None
    leaf = x509.load_pem_x509_certificate(row.certificate.encode())
    key = leaf.public_key()
    is_good = leaf.not_valid_after_utc > utcnow() and is_signed_by(leaf, authority)
    return key if is_good and isinstance(key, ec.EllipticCurvePublicKey) and key_id(key) == wanted else None


def purge() -> None:
    """Forget those whose tokens are all gone."""
    long_ago = utcnow() - timedelta(days=400)
    gone = or_(SigningLeaf.retired_at < utcnow() - KEPT - BACKDATED, SigningLeaf.creation_time < long_ago)
    db.session.execute(delete(SigningLeaf).where(gone))


def _id(leaf: x509.Certificate) -> str:
    key = leaf.public_key()
    return key_id(key) if isinstance(key, ec.EllipticCurvePublicKey) else ""


def _pem(leaf: x509.Certificate) -> str:
    return leaf.public_bytes(Encoding.PEM).decode()
