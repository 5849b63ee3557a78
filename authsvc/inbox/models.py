"""The inbox: what the registry notified us of, stored before it is answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow

PENDING, DONE, QUARANTINED = "pending", "done", "quarantined"


class InboxEvent(Identified, Base):
    """One event under the registry's own id. `reason` says why it is quarantined, or what came of it."""

    __tablename__ = "inbox"

    event_id: Mapped[str] = mapped_column(String(128), unique=True)
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(default=utcnow)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(500), default="")

    __table_args__ = (Index("ix_inbox_status_due_at", "status", "due_at"), Base.__table_args__)
