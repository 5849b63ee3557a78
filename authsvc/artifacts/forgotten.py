"""What the reconciler forgot, kept for a day: what was away only for a while comes back with the times that it had."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select

from authsvc.artifacts import record
from authsvc.artifacts.models import Artifact, Forgotten, Tag
from authsvc.core import names
from authsvc.core.db import db, utcnow
from authsvc.core.inserts import upsert
from authsvc.repositories.models import Repository

_KEPT = timedelta(days=1)


class _Times(NamedTuple):
    reference: str
    digest: str
    push_time: datetime
    pull_time: datetime | None


def forget(repository: Repository, reference: str) -> None:
    """Forget a tag, or a digest with all its tags, and keep the times."""
    kept = list(_times(repository, reference))
    if kept:
        columns = {"repository": repository.name, "forgotten_at": utcnow()}
        upsert(Forgotten, [columns | times._asdict() for times in kept])
    if names.is_tag(reference):
        record.untag(repository, reference)
    else:
        record.forget(repository, reference)


def _times(repository: Repository, reference: str) -> list[_Times]:
    is_tag = names.is_tag(reference)
    tags = select(Tag.name, Artifact.digest, Tag.push_time, Tag.pull_time).join(Artifact, Artifact.id == Tag.artifact_id)
    tags = tags.where(Tag.repository_id == repository.id, Tag.name == reference if is_tag else Artifact.digest == reference)
    kept = [_Times(*row) for row in db.session.execute(tags)]
    found = None if is_tag else record.find(repository, reference)
    return kept + ([_Times(reference, reference, found.push_time, found.pull_time)] if found else [])


def restore(repository: str, artifact: Artifact, tag: str | None) -> None:
    """Give an artifact that was just recorded, and the tag that points to it, the times that they had before they were
    forgotten."""
    references = [artifact.digest, *filter(None, [tag])]
    where = (Forgotten.repository == repository, Forgotten.reference.in_(references), Forgotten.digest == artifact.digest)
    for kept in db.session.scalars(select(Forgotten).where(*where)).all():
        of_tag = select(Tag).where(Tag.repository_id == artifact.repository_id, Tag.name == kept.reference)
        found = db.session.scalar(of_tag) if kept.reference == tag else artifact
        if found is not None:
            found.push_time = kept.push_time
            found.pull_time = max(filter(None, [found.pull_time, kept.pull_time]), default=None)
        db.session.delete(kept)


def purge() -> None:
    """Do without the times of what has been away for longer than a day."""
    db.session.execute(delete(Forgotten).where(Forgotten.forgotten_at < utcnow() - _KEPT))
