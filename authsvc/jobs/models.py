"""Jobs and leases. The database is the queue: see docs/adr/0002-database-is-the-queue.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow

PENDING, RUNNING, SUCCESS, ERROR = "Pending", "Running", "Success", "Error"  # Harbor's words


class Task(Identified, Base):
    """One run of a job. `kind` is a key of `wiring.JOBS`; `result` is what the job says of its run."""

    __tablename__ = "tasks"

    kind: Mapped[str] = mapped_column(String(64))
    trigger: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    run_count: Mapped[int] = mapped_column(default=0)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    start_time: Mapped[datetime | None]
    end_time: Mapped[datetime | None]

    __table_args__ = (Index("ix_tasks_kind_status", "kind", "status"), Base.__table_args__)


class Lease(Base):
    """Who may do something that only one may do, and until when; held by renewing it."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    until: Mapped[datetime]
    __table_args__ = ()
