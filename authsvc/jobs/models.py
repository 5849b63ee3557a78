"""Executions, their tasks, schedules and leases. The database is the queue: see docs/adr/0002-database-is-the-queue.md.

Source of the model and its words: Harbor's job service (execution 1-n task; schedules by vendor type and id).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authsvc.core.db import Base, Identified, utcnow

PENDING, RUNNING, SUCCESS, ERROR, STOPPED = "Pending", "Running", "Success", "Error", "Stopped"
WAITING_OR_RUNNING = (PENDING, RUNNING)
FINAL = (SUCCESS, ERROR, STOPPED)
MANUAL, SCHEDULE, EVENT = "MANUAL", "SCHEDULE", "EVENT"  # what started an execution
SYSTEM = -1  # the vendor id of what belongs to no policy


class Execution(Identified, Base):
    """One start of something for a vendor, such as retention policy 7: its tasks say how it went.

    `vendor_type` names the feature; `extra_attrs` is what started it says of it, and what its tasks sum up.
    """

    __tablename__ = "executions"

    vendor_type: Mapped[str] = mapped_column(String(64))
    vendor_id: Mapped[int] = mapped_column(default=SYSTEM)
    trigger: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    status_message: Mapped[str] = mapped_column(String(1000), default="")
    extra_attrs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    start_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    end_time: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_executions_vendor", "vendor_type", "vendor_id", "start_time"),
        Base.__table_args__,
    )


class Task(Identified, Base):
    """One job to run. `kind` is a key of `wiring.JOBS`; `payload` is what the job is given, `extra_attrs` what it says of
    its run. A running task belongs to `worker` until `lease_until`; then it was left behind, and runs again. Of tasks with the
    same `key` one runs at a time, in their order; without one nobody waits.
    """

    __tablename__ = "tasks"

    execution_id: Mapped[int] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    job_id: Mapped[str] = mapped_column(String(24), default=lambda: secrets.token_hex(12), unique=True)
    kind: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64), default="")
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    status_message: Mapped[str] = mapped_column(String(1000), default="")
    run_count: Mapped[int] = mapped_column(default=0)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    extra_attrs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    worker: Mapped[str] = mapped_column(String(128), default="")
    lease_until: Mapped[datetime | None]
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    start_time: Mapped[datetime | None]
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    end_time: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_tasks_status_due_at", "status", "due_at"),
        Index("ix_tasks_execution_id_status", "execution_id", "status"),
        Index("ix_tasks_key_status", "key", "status"),
        Base.__table_args__,
    )


class TaskLog(Identified, Base):
    """A piece of a task's log: whole lines, in the order they came."""

    __tablename__ = "task_logs"

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)


class Schedule(Identified, Base):
    """When to start something for a vendor by itself. `next_time` is when it is due; a worker that starts it moves it on
    in the same transaction, so each time is started once, whoever else looks."""

    __tablename__ = "schedules"

    vendor_type: Mapped[str] = mapped_column(String(64))
    vendor_id: Mapped[int] = mapped_column(default=SYSTEM)
    cron_type: Mapped[str] = mapped_column(String(16))
    cron: Mapped[str] = mapped_column(String(255))
    params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    next_time: Mapped[datetime] = mapped_column(index=True)
    creation_time: Mapped[datetime] = mapped_column(default=utcnow)
    update_time: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    __table_args__ = (UniqueConstraint("vendor_type", "vendor_id"), Base.__table_args__)


class PausedQueue(Base):
    """A kind of job that starts no run until somebody resumes it."""

    __tablename__ = "paused_queues"

    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    __table_args__ = ()


class WorkerPool(Base):
    """A worker process that is there, as long as it says so. `process`: its name in `core.processes`."""

    __tablename__ = "worker_pools"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    concurrency: Mapped[int]
    start_time: Mapped[datetime]
    heartbeat_time: Mapped[datetime]
    process: Mapped[str] = mapped_column(String(128), default="")
    __table_args__ = ()


class Lease(Base):
    """Who may do something that only one may do, and until when; held by renewing it."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    until: Mapped[datetime]
    __table_args__ = ()
