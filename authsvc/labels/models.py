"""Labels: coloured words on artifacts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow


class Label(Identified, Audited, Base):
    """Of everybody (`project_id` 0, Harbor's scope `g`) or of one project (scope `p`). `artifacts.models.ArtifactLabel` says
    which artifact bears it."""

    __tablename__ = "labels"
    __audited__ = ("name", "description", "color")

    name: Mapped[str] = mapped_column(String(128))
    description: Mapped[str] = mapped_column(String(1024), default="")
    color: Mapped[str] = mapped_column(String(16), default="")
    project_id: Mapped[int] = mapped_column(default=0)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    __table_args__ = (UniqueConstraint("project_id", "name"), Base.__table_args__)

    @property
    def scope(self) -> str:
        """Harbor's word for where it may be used."""
        return "p" if self.project_id else "g"
