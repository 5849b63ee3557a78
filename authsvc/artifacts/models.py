"""The index of what the registry holds: artifacts, their tags, children and blobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified
from authsvc.core.postgresql import SEARCHED


class Artifact(Identified, Base):
    """A manifest or index in a repository. `size` in bytes: itself, config and layers; of an index, itself and its children.

    `media_type` is the config's (of an index its own), as in Harbor; `pull_time` is None until the first pull, and in no index,
    since every pull changes it. `listed`: lists show it; `tagged`: a tag points to it (`artifacts.listing`).
    """

    __tablename__ = "artifacts"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
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
    listed: Mapped[bool] = mapped_column(default=True)
    tagged: Mapped[bool] = mapped_column(default=False)
    extra_attrs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    annotations: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)

    __table_args__ = (
        UniqueConstraint("repository_id", "digest"),
        Index("ix_artifacts_repository_push_time", "repository_id", "listed", "push_time", "id", "tagged"),
        Index("ix_artifacts_repository_size", "repository_id", "listed", "size", "push_time", "id"),
        Index("ix_artifacts_project_push_time", "project_id", "listed", "push_time", "id", "tagged"),
        Index("ix_artifacts_project_size", "project_id", "listed", "size", "push_time", "id"),
        Index("ix_artifacts_project_type", "project_id", "listed", "type", "push_time", "id"),
        Index("ix_artifacts_subject", "repository_id", "subject_digest"),
        Index("ix_artifacts_digest", "digest"),
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


class Accessory(Identified, Base):
    """An artifact that is attached to another one of its repository, `subject_digest`, which need not be there (yet)."""

    __tablename__ = "accessories"

    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), unique=True)
    repository_id: Mapped[int]
    subject_digest: Mapped[str] = mapped_column(String(135))
    type: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index("ix_accessories_subject", "repository_id", "subject_digest"), Base.__table_args__)


class Blob(Identified, Base):
    """Bytes that the registry holds by their digest, manifests included, once for the whole registry; `size` in bytes."""

    __tablename__ = "blobs"

    digest: Mapped[str] = mapped_column(String(135), unique=True)
    size: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(255), default="")


class ArtifactBlob(Base):
    """Which artifact needs which blob: config, layers, and the manifest itself. `project_id` is the artifact's, so that one
    look at the index tells whether anything in a project needs a blob."""

    __tablename__ = "artifact_blobs"

    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True)
    blob_id: Mapped[int] = mapped_column(ForeignKey("blobs.id"), primary_key=True)
    project_id: Mapped[int]
    __table_args__ = (Index("ix_artifact_blobs_blob_id_project_id", "blob_id", "project_id"),)


class ArtifactLabel(Base):
    """Which artifact bears which label (`labels.models`)."""

    __tablename__ = "artifact_labels"

    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[int] = mapped_column(primary_key=True, index=True)
    __table_args__ = ()


class Tag(Identified, Base):
    """A name that points to an artifact; one per repository and name."""

    __tablename__ = "tags"
    immutable = False  # no column: `immutability.service.mark` says it of the tags that somebody is shown

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(128), info=SEARCHED)
    push_time: Mapped[datetime]
    pull_time: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("repository_id", "name"), Base.__table_args__)


class Intent(Identified, Base):
    """A write to the registry that was let in and whose outcome is not recorded yet. See `artifacts.journal`.

    `digest`: what a PUT stores, "" for a DELETE of a tag. `reserved`: bytes that it may add to the project. `owner`: the
    process that does it; after `until` it is taken for dead, and whoever comes next asks the registry what became of it.
    `opened_at`: when it was let in.
    """

    __tablename__ = "intents"

    repository: Mapped[str] = mapped_column(String(255))
    project_id: Mapped[int] = mapped_column(index=True)
    method: Mapped[str] = mapped_column(String(8))
    reference: Mapped[str] = mapped_column(String(135))
    digest: Mapped[str] = mapped_column(String(135), default="")
    reserved: Mapped[int] = mapped_column(default=0)
    username: Mapped[str] = mapped_column(String(255))
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")
    owner: Mapped[str] = mapped_column(String(128))
    until: Mapped[datetime] = mapped_column(index=True)
    opened_at: Mapped[datetime | None]


class Hold(Base):
    """A tag or digest of a repository that an intent is about: nobody else may write it until the intent is settled."""

    __tablename__ = "intent_holds"

    repository: Mapped[str] = mapped_column(String(255), primary_key=True)
    reference: Mapped[str] = mapped_column(String(135), primary_key=True)
    intent_id: Mapped[int] = mapped_column(ForeignKey("intents.id", ondelete="CASCADE"), index=True)
    __table_args__ = ()


class Damage(Base):
    """A tag or digest that the registry has and cannot give, or not as a manifest; why, since when, and when it was seen last.
    The index says of it what it said before."""

    __tablename__ = "damages"

    repository: Mapped[str] = mapped_column(String(255), primary_key=True)
    reference: Mapped[str] = mapped_column(String(135), primary_key=True)
    reason: Mapped[str] = mapped_column(String(500))
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    __table_args__ = ()


class Forgotten(Base):
    """A tag or digest that the reconciler did not find any more, with the times that it had: they come back with it."""

    __tablename__ = "forgotten_references"

    repository: Mapped[str] = mapped_column(String(255), primary_key=True)
    reference: Mapped[str] = mapped_column(String(135), primary_key=True)
    digest: Mapped[str] = mapped_column(String(135))
    push_time: Mapped[datetime]
    pull_time: Mapped[datetime | None]
    forgotten_at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = ()


class Condemned(Base):
    """A blob that nothing needed when somebody looked, on its way out of the registry's storage (`artifacts.condemned`). `size`:
    its bytes there; `condemned_at`: None until everybody can see the row; `execution_id`: of the collection that condemned it;
    `sweeper`: the process that deletes it, since `claimed_at`; "" and None if none does."""

    __tablename__ = "condemned_blobs"

    digest: Mapped[str] = mapped_column(String(135), primary_key=True)
    size: Mapped[int]
    condemned_at: Mapped[datetime | None] = mapped_column(index=True)
    execution_id: Mapped[int]
    sweeper: Mapped[str] = mapped_column(String(128), default="")
    claimed_at: Mapped[datetime | None]
    __table_args__ = ()


class StorageMarker(Base):
    """What we have put into the registry's storage to know it again (`artifacts.marker`); one row."""

    __tablename__ = "storage_marker"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(135))
    made_at: Mapped[datetime]
    __table_args__ = ()
