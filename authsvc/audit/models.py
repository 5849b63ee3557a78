"""Who did what, from where, and whether it was allowed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow
from authsvc.core.postgresql import SEARCHED
from authsvc.core.query import FEW


class AuditLog(Identified, Base):
    """One operation. Names, not foreign keys: an entry outlives what it speaks of."""

    __tablename__ = "audit_logs"

    op_time: Mapped[datetime] = mapped_column(default=utcnow)
    username: Mapped[str] = mapped_column(String(255), info=SEARCHED)
    operation: Mapped[str] = mapped_column(String(32), info=FEW)
    resource_type: Mapped[str] = mapped_column(String(32), info=FEW)
    resource: Mapped[str] = mapped_column(String(1024), info=SEARCHED)
    project_id: Mapped[int | None]
    succeeded: Mapped[bool] = mapped_column(default=True)
    description: Mapped[str] = mapped_column(String(1024), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # column -> [before, after]

    # What is asked about most, each newest first; of one project everything but the resource in one index, to be looked through.
    __table_args__ = (
        Index("ix_audit_logs_op_time", "op_time", "id"),
        Index("ix_audit_logs_username", "username", "op_time", "id"),
        Index("ix_audit_logs_operation", "operation", "op_time", "id"),
        Index("ix_audit_logs_resource_type", "resource_type", "op_time", "id"),
        Index("ix_audit_logs_project", "project_id", "op_time", "id", "operation", "resource_type", "username"),
        Base.__table_args__,
    )


class AuditOutbox(Identified, Base):
    """An entry that has not been forwarded yet; written in the transaction of the entry itself, deleted after it was sent.
    `stored` is False if it is nowhere else."""

    __tablename__ = "audit_outbox"

    entry: Mapped[dict[str, Any]] = mapped_column(JSON)
    stored: Mapped[bool] = mapped_column(default=True)
