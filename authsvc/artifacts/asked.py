"""An artifact as requests name it, by one SELECT past sessions: for checks that are made on every pull."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select

from authsvc.artifacts.models import Accessory, Artifact, Tag
from authsvc.core.names import is_digest
from authsvc.repositories.models import Repository

# Made once.
_HERE = (
    select(
        Artifact.id,
        Artifact.repository_id,
        Artifact.digest,
        Artifact.type,
        Artifact.manifest_media_type,
        Accessory.type.label("attached"),
    )
    .join(Repository, Repository.id == Artifact.repository_id)
    .outerjoin(Accessory, Accessory.artifact_id == Artifact.id)
    .where(Repository.name == bindparam("repository"))
)
_BY_DIGEST = _HERE.where(Artifact.digest == bindparam("reference"))
_BY_TAG = _HERE.join(Tag, Tag.artifact_id == Artifact.id).where(Tag.name == bindparam("reference"))


def find(execute: Callable[..., Any], repository: str, reference: str) -> Any:
    """What a tag or digest of a repository (full name) stands for, or None: `id`, `repository_id`, `digest`, `type`,
    `manifest_media_type`, and as what it is `attached` to something (None: it is not)."""
    statement = _BY_DIGEST if is_digest(reference) else _BY_TAG
    return execute(statement, {"repository": repository, "reference": reference}).first()
