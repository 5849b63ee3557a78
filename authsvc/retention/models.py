"""Which artifacts of a project are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.audit.changes import Audited
from authsvc.core.db import Base, Identified, utcnow


class RetentionPolicy(Identified, Audited, Base):
    """The one policy of a project. `rules` are Harbor's objects, checked by `retention.rules.parse` before they come here;
    `cron`: six fields, "" to run on demand only."""

    __tablename__ = "retention_policies"
    __audited__ = ("rules", "cron")

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), unique=True)
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    cron: Mapped[str] = mapped_column(String(255), default="")
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
