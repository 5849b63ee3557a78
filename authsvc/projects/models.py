"""Projects and their members."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant
from authsvc.rbac.principal import ProjectRef
from authsvc.rbac.roles import Role
from authsvc.users.models import User


class Project(Identified, PolicyRelevant, Base):
    """`settings` holds Harbor's project metadata except `public`, which every decision reads."""

    __tablename__ = "projects"

    name: Mapped[str] = mapped_column(String(255), unique=True)
    public: Mapped[bool] = mapped_column(default=False, index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    settings: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    owner: Mapped[User] = relationship(lazy="raise_on_sql")

    @property
    def ref(self) -> ProjectRef:
        """The project as decisions see it."""
        return ProjectRef(self.id, self.name, self.public)

    @property
    def metadata_(self) -> dict[str, str]:
        """Harbor's `metadata` object: strings only."""
        return {"public": str(self.public).lower(), **self.settings}


class ProjectMember(Identified, PolicyRelevant, Base):
    """A role of a user (entity type `u`) in a project."""

    __tablename__ = "project_members"

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
