"""Repositories."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.postgresql import BY_BYTES, SEARCHED


class Repository(Identified, Audited, Base):
    """`name` is the full name, `project/repo`, as in image names."""

    __tablename__ = "repositories"
    __audited__ = ("description",)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(255), unique=True, info=SEARCHED | BY_BYTES)
    description: Mapped[str] = mapped_column(Text, default="")
    pull_count: Mapped[int] = mapped_column(default=0)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow)

    __table_args__ = (
        Index("ix_repositories_creation_time", "creation_time", "id"),
        Index("ix_repositories_update_time", "update_time", "id"),
        Index("ix_repositories_project_name", "project_id", "name"),
        Index("ix_repositories_project_creation_time", "project_id", "creation_time", "id"),
        Base.__table_args__,
    )
