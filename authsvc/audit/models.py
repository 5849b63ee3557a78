"""Who did what, from where, and whether it was allowed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow


class AuditLog(Identified, Base):
    """One operation. Names, not foreign keys: an entry outlives what it speaks of."""

    __tablename__ = "audit_logs"

    op_time: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    username: Mapped[str] = mapped_column(String(255))
    operation: Mapped[str] = mapped_column(String(32))
    resource_type: Mapped[str] = mapped_column(String(32))
    resource: Mapped[str] = mapped_column(String(1024))
    project_id: Mapped[int | None]
    succeeded: Mapped[bool] = mapped_column(default=True)
    description: Mapped[str] = mapped_column(String(1024), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (Index("ix_audit_logs_project_id_op_time", "project_id", "op_time"), Base.__table_args__)
