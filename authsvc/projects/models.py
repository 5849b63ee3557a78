"""Projects and their members."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.postgresql import SEARCHED
from authsvc.core.versioning import PolicyRelevant
from authsvc.rbac.principal import ProjectRef
from authsvc.rbac.roles import Role
from authsvc.users.models import User


class Project(Identified, Audited, PolicyRelevant, Base):
    """`settings` holds Harbor's project metadata except `public`, which every decision reads. `storage_limit` in bytes, -1:
    none. `registry_id`: of a proxy cache, the registry whose images it holds; it is said once, when the project is made."""

    __tablename__ = "projects"
    __audited__ = ("public", "settings", "storage_limit")

    name: Mapped[str] = mapped_column(String(255), unique=True, info=SEARCHED)
    public: Mapped[bool] = mapped_column(default=False, index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    settings: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    storage_limit: Mapped[int] = mapped_column(default=-1)
    registry_id: Mapped[int | None] = mapped_column(ForeignKey("registries.id"), index=True)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    __table_args__ = (
        Index("ix_projects_name", "name", "id"),
        Index("ix_projects_storage_limit", "storage_limit", "id"),
        Base.__table_args__,
    )

    owner: Mapped[User] = relationship(lazy="raise_on_sql")
    usage: Mapped[StorageUsage] = relationship(lazy="raise_on_sql", viewonly=True)

    @property
    def ref(self) -> ProjectRef:
        """The project as decisions see it."""
        return ProjectRef(self.id, self.name, self.public, self.registry_id or 0, self.settings)

    @property
    def metadata_(self) -> dict[str, str]:
        """Harbor's `metadata` object: strings only."""
        return {"public": str(self.public).lower(), **self.settings}


class StorageUsage(Base):
    """How many bytes a project stores, each blob once; changed with the index, in the same transaction (`artifacts.usage`).
    `mark`: how full it was when somebody looked last, and `exceeded_at`: when it was last told that something did not fit (room
    `quota`)."""

    __tablename__ = "storage_usage"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    bytes: Mapped[int] = mapped_column(default=0)
    mark: Mapped[int] = mapped_column(default=0)
    exceeded_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_storage_usage_bytes", "bytes", "project_id"),)


class ProjectMember(Identified, Audited, PolicyRelevant, Base):
    """A role of a user (entity type `u`) in a project."""

    __tablename__ = "project_members"
    __audited__ = ("role",)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    entity_type: Mapped[str] = mapped_column(String(1), default="u")
    entity_id: Mapped[int]
    role: Mapped[int]
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)

    __table_args__ = (
        UniqueConstraint("project_id", "entity_type", "entity_id"),
        Index("ix_project_members_entity", "entity_type", "entity_id"),
        Base.__table_args__,
    )

    @property
    def role_name(self) -> str:
        return Role(self.role).label
