"""The index of what the registry holds: artifacts, their tags, children and blobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified


class Artifact(Identified, Base):
    """A manifest or index in a repository. `size` in bytes: itself, config and layers; of an index, itself and its children.

    `media_type` is the config's (of an index its own), as in Harbor; `pull_time` is None until the first pull.
    """

    __tablename__ = "artifacts"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    digest: Mapped[str] = mapped_column(String(135))
    type: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(255))
    manifest_media_type: Mapped[str] = mapped_column(String(255))
    artifact_type: Mapped[str] = mapped_column(String(255))
    subject_digest: Mapped[str | None] = mapped_column(String(135))
    own_size: Mapped[int]
    size: Mapped[int]
    push_time: Mapped[datetime]
    pull_time: Mapped[datetime | None]
    extra_attrs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    annotations: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)

    __table_args__ = (
        UniqueConstraint("repository_id", "digest"),
        Index("ix_artifacts_repository_id_push_time", "repository_id", "push_time"),
        Index("ix_artifacts_subject", "repository_id", "subject_digest"),
        Base.__table_args__,
    )


class ArtifactReference(Identified, Base):
    """A child of an index. Children are found by digest, so it does not matter which of the two is recorded first."""

    __tablename__ = "artifact_references"

    parent_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"))
    position: Mapped[int]
    child_digest: Mapped[str] = mapped_column(String(135), index=True)
    platform: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    annotations: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    urls: Mapped[list[str]] = mapped_column(JSON, default=list)

    __table_args__ = (UniqueConstraint("parent_id", "position"), Base.__table_args__)


class Blob(Identified, Base):
    """Bytes that manifests speak of, once for the whole registry; `size` in bytes."""

    __tablename__ = "blobs"

    digest: Mapped[str] = mapped_column(String(135), unique=True)
    size: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(255), default="")


class ArtifactBlob(Base):
    """Which artifact needs which blob."""

    __tablename__ = "artifact_blobs"

    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True)
    blob_id: Mapped[int] = mapped_column(ForeignKey("blobs.id"), primary_key=True, index=True)
    __table_args__ = ()


class Tag(Identified, Base):
    """A name that points to an artifact; one per repository and name."""

    __tablename__ = "tags"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(128))
    push_time: Mapped[datetime]
    pull_time: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("repository_id", "name"), Base.__table_args__)
