"""The queue from the worker's side: what is due, whose it is, how it ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import aliased

from authsvc.core.db import db, present
from authsvc.jobs import leases, service
from authsvc.jobs.context import Stopped
from authsvc.jobs.models import ERROR, PENDING, RUNNING, SUCCESS, WAITING_OR_RUNNING, Execution, PausedQueue, Task

LEASE_SECONDS = 60.0
_EXCLUSIVE = "job:"  # and a kind: the lease of who runs one that runs alone
# A task whose worker died this often with it is not tried again: it may be what kills them.
MAX_RUNS = 10


class Candidate(NamedTuple):
    """A task that may start."""

    task_id: int
    execution_id: int
    kind: str


def due(limit: int = 50, but: Collection[str] = ()) -> list[Candidate]:
    """What waits and may start now, and what a dead worker left behind; the oldest first. Nothing of
    kinds that are paused, or that run one at a time and do so now, or that are named in `but`."""
    shut = {*but}
    shut |= set(db.session.scalars(select(PausedQueue.kind))) | leases.held(_EXCLUSIVE, LEASE_SECONDS)
    statement = select(Task.id, Task.execution_id, Task.kind).where(_is_due(present()), _has_its_turn(), Task.kind.not_in(shut))
    return [Candidate(*row) for row in db.session.execute(statement.order_by(Task.id).limit(limit))]


def _is_due(now: datetime) -> ColumnElement[bool]:
    waits = and_(Task.status == PENDING, Task.due_at <= now)
    far = now + timedelta(seconds=2 * LEASE_SECONDS)  # said by a clock that was ahead
    left_behind = and_(Task.status == RUNNING, or_(Task.lease_until < now, Task.lease_until > far))
    return or_(waits, left_behind)


def _has_its_turn() -> ColumnElement[bool]:
    """Of its key none that came before waits, and none runs, be it one that came later and was seen earlier. What was left behind
    had its turn, and has it still."""
    other = aliased(Task)
    before = and_(other.id < Task.id, other.status.in_(WAITING_OR_RUNNING))
    is_held_up = exists().where(other.key == Task.key, other.id != Task.id, or_(before, other.status == RUNNING))
    return or_(Task.key == "", Task.status == RUNNING, ~is_held_up)


def claim(candidate: Candidate, worker: str, *, exclusive: bool) -> Task | None:
    """Make a task ours, now Running; None if somebody else was faster, or another run of its kind goes on."""
    task_id, execution_id, kind = candidate
    now = present()
    if db.session.scalar(select(Task.id).where(Task.id == task_id, _has_its_turn())) is None:
        return None
    if exclusive and not leases.take(_EXCLUSIVE + kind, LEASE_SECONDS, worker):
        return None
    service.lock(Execution.id == execution_id)
    result: Any = db.session.execute(
        update(Task)
        .where(Task.id == task_id, _is_due(now))
        .values(
            status=RUNNING, worker=worker, start_time=now, update_time=now, lease_until=_lease(now), run_count=Task.run_count + 1
        ),
        execution_options={"synchronize_session": False},
    )
    task = db.session.get(Task, task_id, populate_existing=True) if result.rowcount else None
    if task is not None:
        service.refresh(execution_id)
    elif exclusive:
        leases.give_back(_EXCLUSIVE + kind, worker)
    return task


def renew(task_id: int, kind: str, worker: str, *, exclusive: bool) -> None:
    """Keep a running task, in the transaction that this protects.

    Raises:
        Stopped: it is ours no more.
    """
    now = present()
    kept = _end_of_ours(task_id, worker, {"lease_until": _lease(now), "update_time": now})
    if not kept or (exclusive and not leases.take(_EXCLUSIVE + kind, LEASE_SECONDS, worker)):
        raise Stopped


def succeed(task: Task, extra_attrs: Mapping[str, Any]) -> bool:
    """Note that a run of ours ended well; False if it was stopped meanwhile."""
    return _end(task, status=SUCCESS, extra_attrs={**task.extra_attrs, **extra_attrs}, status_message="")


def fail(task: Task, reason: str, attempts: int, wait: int = 0) -> bool:
    """Note that a run of ours failed: tried again later, in `wait` seconds at the earliest, unless it failed so often by now.
    True if it was the last."""
    if task.run_count < attempts:
        later = max(pause(task.run_count), timedelta(seconds=wait))
        _end(task, status=PENDING, due_at=present() + later, status_message=reason[:1000])
        return False
    return _end(task, status=ERROR, status_message=reason[:1000])


def pause(runs: int) -> timedelta:
    """Between a run that failed, the so many-th, and the next one."""
    return timedelta(seconds=15 + runs**4)


def let_go(task: Task) -> None:
    """Put back what the worker cannot finish, since it ends: the next worker runs it at once, and this run does not count."""
    _end(task, status=PENDING, due_at=present(), run_count=task.run_count - 1)


def withdraw(task: Task) -> None:
    """Hold up nobody any more with a run that was stopped."""
    leases.give_back(_EXCLUSIVE + task.kind, task.worker)


def free(prefix: str) -> None:
    """Let others run at once what is running at workers whose names begin so: they are dead."""
    theirs = (Task.status == RUNNING, Task.worker.startswith(prefix, autoescape=True))
    values = {"lease_until": present() - timedelta(seconds=1)}
    db.session.execute(update(Task).where(*theirs).values(**values), execution_options={"synchronize_session": False})


def _end(task: Task, **values: Any) -> bool:
    now = present()
    if values["status"] != PENDING:
        values["end_time"] = now
    service.lock(Execution.id == task.execution_id)
    ended = _end_of_ours(task.id, task.worker, values | {"lease_until": None, "update_time": now})
    if ended:
        service.refresh(task.execution_id)
    withdraw(task)
    return ended


def _end_of_ours(task_id: int, worker: str, values: Mapping[str, Any]) -> bool:
    result: Any = db.session.execute(
        update(Task).where(Task.id == task_id, Task.worker == worker, Task.status == RUNNING).values(**values),
        execution_options={"synchronize_session": False},
    )
    return bool(result.rowcount)


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)
