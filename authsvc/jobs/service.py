"""Tasks: launched by anybody in any transaction, claimed by a worker once that transaction is committed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from authsvc.core.db import db, utcnow
from authsvc.jobs.models import ERROR, PENDING, RUNNING, SUCCESS, Task

_KEPT = timedelta(days=30)


def launch(kind: str, trigger: str) -> Task:
    """Ask for a run (`trigger`: Manual, Schedule or Event); one that still waits is not doubled."""
    waiting = db.session.scalar(select(Task).where(Task.kind == kind, Task.status == PENDING))
    if waiting is not None:
        return waiting
    task = Task(kind=kind, trigger=trigger, status=PENDING, result={}, run_count=0)
    db.session.add(task)
    db.session.flush()
    return task


def latest(kind: str) -> Task | None:
    """The run that was asked for last, or None."""
    return db.session.scalar(select(Task).where(Task.kind == kind).order_by(Task.id.desc()).limit(1))


def is_due(kind: str, every_seconds: int, now: datetime) -> bool:
    """True if the last run was asked for that long ago, or never."""
    last = latest(kind)
    return last is None or now - last.creation_time >= timedelta(seconds=every_seconds)


def waiting() -> set[str]:
    """The kinds of jobs that a worker should look after: asked for, or left running by a worker that died."""
    return set(db.session.scalars(select(Task.kind).where(Task.status.in_([PENDING, RUNNING]))))


def claim(kind: str) -> Task | None:
    """The next run of a job, now Running; None if there is none. Call it holding the job's lease: whatever is Running
    then was left behind by a dead worker, and runs again."""
    statement = select(Task).where(Task.kind == kind, Task.status.in_([PENDING, RUNNING]))
    task = db.session.scalar(statement.order_by(Task.id).limit(1))
    if task is not None:
        task.status, task.start_time, task.run_count = RUNNING, utcnow(), task.run_count + 1
    return task


def finish(task_id: int, *, result: dict[str, Any], failed: bool = False) -> None:
    """Note how a run ended."""
    db.session.execute(
        update(Task).where(Task.id == task_id).values(status=ERROR if failed else SUCCESS, result=result, end_time=utcnow())
    )


def purge() -> None:
    """Forget runs that ended long ago."""
    db.session.execute(delete(Task).where(Task.end_time < utcnow() - _KEPT))
