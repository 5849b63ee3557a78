"""What the registry has and cannot give: a manifest that a killed registry or a full disk cut off, or something that is no
manifest. It is a state of that one tag or digest, and holds up nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Select, delete, func, select

from authsvc.artifacts.models import Damage
from authsvc.core.db import db, utcnow
from authsvc.core.inserts import insert_ignore


def note(repository: str, reasons: Mapping[str, str]) -> None:
    """These references cannot be read, and why."""
    for reference in sorted(reasons):
        now, reason = utcnow(), reasons[reference][:500]
        new = insert_ignore(Damage, repository=repository, reference=reference, reason=reason, found_at=now, seen_at=now)
        if not new and (found := db.session.get(Damage, (repository, reference))) is not None:
            found.reason, found.seen_at = reason, now


def clear(repository: str, references: Collection[str]) -> None:
    """These can be read, or are gone."""
    if references:
        db.session.execute(delete(Damage).where(Damage.repository == repository, Damage.reference.in_(list(references))))


def references(repository: str) -> set[str]:
    """What is damaged in a repository, as far as it is known."""
    return set(db.session.scalars(select(Damage.reference).where(Damage.repository == repository)))


def everything() -> Select[Any]:
    """All of it."""
    return select(Damage)


def count() -> int:
    """How many references that is."""
    return db.session.scalar(select(func.count()).select_from(Damage)) or 0
