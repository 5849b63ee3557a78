"""Robots: accounts for machines, with permissions instead of roles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.versioning import PolicyRelevant


class Robot(Identified, Audited, PolicyRelevant, Base):
    """`name` without the prefix, so that a new prefix renames all; `project_id` 0 at system level. `duration` in days, -1:
    for ever; then `expires_at` is None. `secret_hash`: of a secret that somebody chose; those that we made are in `secrets`."""

    __tablename__ = "robots"
    __audited__ = ("description", "duration", "expires_at", "disabled")
    __policy_on__ = frozenset({"update", "delete"})

    name: Mapped[str] = mapped_column(String(255))
    project_id: Mapped[int] = mapped_column(default=0)
    description: Mapped[str] = mapped_column(String(1024), default="")
    duration: Mapped[int] = mapped_column(default=-1)
    expires_at: Mapped[datetime | None]
    disabled: Mapped[bool] = mapped_column(default=False)
    epoch: Mapped[int] = mapped_column(default=1)
    secret_hash: Mapped[str | None] = mapped_column(String(255))
    creator_type: Mapped[str] = mapped_column(String(8), default="user")
    creator_ref: Mapped[int] = mapped_column(default=0)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    permissions: Mapped[list[RobotPermission]] = relationship(
        cascade="all, delete-orphan", order_by="RobotPermission.id", lazy="selectin"
    )

    __table_args__ = (UniqueConstraint("project_id", "name"), Base.__table_args__)

    @property
    def level(self) -> str:
        return "project" if self.project_id else "system"


class RobotPermission(Identified, PolicyRelevant, Base):
    """One permission; `place` is a project's id, or `rbac.principal.EVERYWHERE` or `SYSTEM`."""

    __tablename__ = "robot_permissions"
    __policy_on__ = frozenset({"insert", "update", "delete"})

    robot_id: Mapped[int] = mapped_column(ForeignKey("robots.id", ondelete="CASCADE"), index=True)
    place: Mapped[int]
    resource: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(16))
