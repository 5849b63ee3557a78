"""Which artifacts lists show: all but what is attached to another one, and untagged children of an index; and which are tagged.

The answers stand with each artifact (`listed`, `tagged`), so that lists are counted and sorted along an index. They follow from
tags, children and accessories: whoever changes these says so here, in the same transaction. `is_shown` and `is_tagged` are the
rules; what stands there agrees with them, always.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, case, exists, false, or_, select, true
from sqlalchemy.orm import aliased

from authsvc.artifacts import accessories
from authsvc.artifacts.models import Artifact, ArtifactReference, Tag
from authsvc.core.db import db
from authsvc.repositories.models import Repository


def is_tagged() -> ColumnElement[bool]:
    """Of an artifact, from the tags."""
    return exists().where(Tag.artifact_id == Artifact.id)


def is_shown() -> ColumnElement[bool]:
    """Of an artifact, from the rows that it follows from."""
    parent = aliased(Artifact)
    child = (
        exists()
        .where(ArtifactReference.child_digest == Artifact.digest)
        .where(ArtifactReference.parent_id == parent.id, parent.repository_id == Artifact.repository_id)
    )
    return and_(~accessories.is_accessory(), ~accessories.is_fallback(), is_tagged() | ~child)


def is_listed() -> ColumnElement[bool]:
    """Of an artifact, as it stands there. Not `IS true`, which no index of PostgreSQL's knows with other columns."""
    return Artifact.listed == true()


def refresh(repository: Repository, *, ids: Collection[int] = (), digests: Collection[str] = ()) -> None:
    """Something changed that these artifacts' places in lists follow from; those of them that there are."""
    if ids:
        _agree(repository, Artifact.id.in_(ids))
    if digests:
        _agree(repository, Artifact.digest.in_(digests))


def correct(repository: Repository) -> int:
    """Let all artifacts of a repository agree with the rule; how many did not."""
    return _agree(repository, true())


def _agree(repository: Repository, chosen: ColumnElement[bool]) -> int:
    listed, tagged = (case((rule, true()), else_=false()) for rule in (is_shown(), is_tagged()))
    is_wrong = or_(Artifact.listed != listed, Artifact.tagged != tagged)
    wrong = db.session.execute(
        select(Artifact, listed, tagged).where(Artifact.repository_id == repository.id, chosen, is_wrong)
    ).all()
    for artifact, is_listed_now, is_tagged_now in wrong:
        artifact.listed, artifact.tagged = is_listed_now, is_tagged_now
    return len(wrong)
