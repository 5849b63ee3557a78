"""Executions and tasks: launched by anybody in any transaction, run by a worker once that transaction is committed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, exists, func, select, update

from authsvc.core.db import db, utcnow
from authsvc.core.errors import NotFound
from authsvc.core.inserts import insert_or_lock
from authsvc.jobs.models import (
    ERROR,
    FINAL,
    PENDING,
    RUNNING,
    STOPPED,
    SUCCESS,
    SYSTEM,
    WAITING_OR_RUNNING,
    Execution,
    Lease,
    Task,
)

_SWEEP = 1000  # executions that are forgotten in one transaction
_BULK = {"synchronize_session": False}


# -- starting ------------------------------------------------------------------------------------------------------


def begin(vendor_type: str, trigger: str, vendor_id: int = SYSTEM, extra_attrs: Mapping[str, Any] | None = None) -> Execution:
    """An execution without tasks yet: add them in the same transaction, or `conclude` it if there is nothing to do."""
    now = utcnow()
    execution = Execution(
        vendor_type=vendor_type, vendor_id=vendor_id, trigger=trigger, extra_attrs=dict(extra_attrs or {}), start_time=now
    )
    db.session.add(execution)
    db.session.flush()
    return execution


def add_task(
    execution: Execution,
    kind: str,
    payload: Mapping[str, Any] | None = None,
    extra_attrs: Mapping[str, Any] | None = None,
    *,
    key: str = "",
) -> Task:
    """One more task of an execution. `payload` is for the job alone; `extra_attrs` are shown; `key`: of tasks with the same one
    runs at a time, in their order."""
    task = Task(execution_id=execution.id, kind=kind, key=key, payload=dict(payload or {}), extra_attrs=dict(extra_attrs or {}))
    db.session.add(task)
    db.session.flush()
    return task


def launch(
    kind: str,
    trigger: str,
    vendor_id: int = SYSTEM,
    payload: Mapping[str, Any] | None = None,
    extra_attrs: Mapping[str, Any] | None = None,
) -> Execution:
    """An execution of one task; its vendor type is the job's name."""
    execution = begin(kind, trigger, vendor_id, extra_attrs)
    add_task(execution, kind, payload)
    return execution


def launch_once(kind: str, trigger: str) -> Execution:
    """As `launch`, but one that still waits is not doubled."""
    waiting = db.session.scalar(
        select(Execution).where(Execution.vendor_type == kind, Execution.status == PENDING).order_by(Execution.id).limit(1)
    )
    return waiting or launch(kind, trigger)


def may_start(kind: str) -> bool:
    """True if none of its kind waits or runs; nobody else starts one until this transaction ends."""
    insert_or_lock(Lease, "name", name=f"start:{kind}", owner="", until=utcnow())
    return not is_active(kind)


def is_active(vendor_type: str, vendor_id: int = SYSTEM) -> bool:
    """True while an execution of this vendor waits or runs."""
    return db.session.scalar(of_vendor(vendor_type, vendor_id).where(Execution.status.in_(WAITING_OR_RUNNING))) is not None


def last_start(kinds: Collection[str]) -> dict[str, datetime]:
    """When each was started last, of those that ever were."""
    statement = select(Execution.vendor_type, func.max(Execution.start_time)).where(Execution.vendor_type.in_(kinds))
    return {kind: moment for kind, moment in db.session.execute(statement.group_by(Execution.vendor_type))}  # noqa: C416 - rows are no pairs


# -- how it went ---------------------------------------------------------------------------------------------------


def lock(condition: ColumnElement[bool]) -> None:
    """Lock executions, before their tasks are changed: in this order always, or two that end tasks at the same time would each
    wait for the other (InnoDB locks an execution, shared, when the status of a task changes)."""
    db.session.execute(select(Execution.id).where(condition).order_by(Execution.id).with_for_update())


def refresh(execution_id: int) -> None:
    """Let an execution's status follow from its tasks'. The row is locked, so that of two tasks that end at the same time
    the second sees the first."""
    execution = db.session.scalar(
        select(Execution).where(Execution.id == execution_id).with_for_update().execution_options(populate_existing=True)
    )
    if execution is None:
        return
    counted = metrics([execution_id]).get(execution_id, {})
    execution.status = status_of(counted)
    execution.update_time = utcnow()
    if execution.status == ERROR:
        failed = select(Task.status_message).where(Task.execution_id == execution_id, Task.status == ERROR)
        execution.status_message = db.session.scalar(failed.order_by(Task.id).limit(1)) or ""
    execution.end_time = utcnow() if execution.status in FINAL else None


def status_of(counted: Mapping[str, int]) -> str:
    """An execution's status from how many of its tasks have which (Harbor's order); without tasks it is a success."""
    if any(counted.get(status) for status in WAITING_OR_RUNNING):
        return RUNNING if any(counted.get(status) for status in (RUNNING, *FINAL)) else PENDING
    return next((status for status in (ERROR, STOPPED) if counted.get(status)), SUCCESS)


def metrics(execution_ids: Iterable[int], kind: str = "") -> dict[int, dict[str, int]]:
    """Execution id -> status -> how many tasks; those of one kind, or all."""
    statement = select(Task.execution_id, Task.status, func.count()).where(Task.execution_id.in_(list(execution_ids)))
    if kind:
        statement = statement.where(Task.kind == kind)
    counted: dict[int, dict[str, int]] = {}
    for execution_id, status, number in db.session.execute(statement.group_by(Task.execution_id, Task.status)):
        counted.setdefault(execution_id, {})[status] = number
    return counted


def conclude(execution: Execution) -> None:
    """An execution that has no tasks has nothing to do, and is done."""
    refresh(execution.id)


def skip(execution: Execution, reason: str) -> None:
    """End an execution that was not to begin."""
    execution.status, execution.status_message, execution.end_time = STOPPED, reason, utcnow()


def say(execution_id: int, values: Mapping[str, Any]) -> None:
    """Let an execution say something of itself, whatever it said there before."""
    change(execution_id, lambda said: {**said, **values})


def add(execution_id: int, amounts: Mapping[str, int]) -> None:
    """Add to numbers that an execution says of itself."""
    change(execution_id, lambda said: {**said, **{name: said.get(name, 0) + amount for name, amount in amounts.items()}})


def change(execution_id: int, said_anew: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Let what an execution says of itself follow from what it said; nobody minds if it was forgotten."""
    execution = db.session.get(Execution, execution_id, with_for_update=True, populate_existing=True)
    if execution is not None:
        execution.extra_attrs = said_anew(execution.extra_attrs)


# -- finding -------------------------------------------------------------------------------------------------------


def of_vendor(vendor_type: str, vendor_id: int | None = SYSTEM) -> Select[Any]:
    """The executions of a vendor; None: of every id of that type."""
    statement = select(Execution).where(Execution.vendor_type == vendor_type)
    return statement if vendor_id is None else statement.where(Execution.vendor_id == vendor_id)


def every() -> Select[Any]:
    """All executions, whatever the vendor."""
    return select(Execution)


def get_any(execution_id: int) -> Execution:
    """An execution, whatever the vendor: for who may see all of them.

    Raises:
        NotFound
    """
    execution = db.session.get(Execution, execution_id)
    if execution is None:
        raise NotFound(f"execution {execution_id} not found")
    return execution


def get_execution(vendor_type: str, vendor_id: int | None, execution_id: int) -> Execution:
    """An execution, if it is of this vendor: an id alone opens nothing.

    Raises:
        NotFound
    """
    execution: Execution | None = db.session.scalar(of_vendor(vendor_type, vendor_id).where(Execution.id == execution_id))
    if execution is None:
        raise NotFound(f"execution {execution_id} not found")
    return execution


def tasks_of(execution: Execution) -> Select[Any]:
    """The tasks of an execution."""
    return select(Task).where(Task.execution_id == execution.id)


def get_task(execution: Execution, task_id: int) -> Task:
    """A task, if it is one of this execution.

    Raises:
        NotFound
    """
    task: Task | None = db.session.scalar(tasks_of(execution).where(Task.id == task_id))
    if task is None:
        raise NotFound(f"task {task_id} not found")
    return task


def only_task(execution: Execution) -> Task:
    """The task of an execution that has one.

    Raises:
        NotFound: it was stopped before it got one.
    """
    task: Task | None = db.session.scalar(tasks_of(execution).order_by(Task.id).limit(1))
    if task is None:
        raise NotFound(f"execution {execution.id} has no task")
    return task


def get_by_job_id(job_id: str) -> Task:
    """A task by the id that the job service's API uses.

    Raises:
        NotFound
    """
    task: Task | None = db.session.scalar(select(Task).where(Task.job_id == job_id))
    if task is None:
        raise NotFound(f"job {job_id} not found")
    return task


# -- stopping and forgetting ---------------------------------------------------------------------------------------


def stop(execution: Execution) -> None:
    """Stop what waits now, and what runs at its next `keep_going`; nothing happens to what has ended."""
    stop_tasks(Task.execution_id == execution.id)


def stop_tasks(condition: ColumnElement[bool], statuses: Collection[str] = WAITING_OR_RUNNING) -> None:
    """Stop the tasks that a condition selects, and let their executions say so."""
    now = utcnow()
    chosen = condition & Task.status.in_(statuses)
    concerned = set(db.session.scalars(select(Task.execution_id).where(chosen)))
    lock(Execution.id.in_(concerned))
    db.session.execute(update(Task).where(chosen).values(status=STOPPED, end_time=now, update_time=now), execution_options=_BULK)
    settle(Execution.id.in_(concerned))


def settle(condition: ColumnElement[bool]) -> None:
    """End the executions, among those that a condition selects, none of whose tasks waits or runs any more: in one
    statement, however many they are."""
    of_it = Task.execution_id == Execution.id
    failed = exists().where(of_it, Task.status == ERROR)
    stopped = exists().where(of_it, Task.status == STOPPED)
    goes_on = exists().where(of_it, Task.status.in_(WAITING_OR_RUNNING))
    now = utcnow()
    db.session.execute(
        update(Execution)
        .where(condition, Execution.status.in_(WAITING_OR_RUNNING), ~goes_on)
        .values(status=case((failed, ERROR), (stopped, STOPPED), else_=SUCCESS), end_time=now, update_time=now),
        execution_options=_BULK,
    )


def delete_of_vendors(vendor_type: str, vendor_ids: Select[Any] | Collection[int]) -> None:
    """Forget everything about vendors that go; what runs for them ends at its next `keep_going`."""
    of_them = and_(Execution.vendor_type == vendor_type, Execution.vendor_id.in_(vendor_ids))
    db.session.execute(delete(Execution).where(of_them), execution_options=_BULK)


def sweep(vendor_type: str, kept: int) -> int:
    """Forget the oldest ended executions of each vendor of a type beyond `kept`; returns how many."""
    number = func.row_number().over(partition_by=Execution.vendor_id, order_by=Execution.id.desc()).label("number")
    ranked = select(Execution.id, Execution.status, number).where(Execution.vendor_type == vendor_type).subquery()
    surplus = select(ranked.c.id).where(ranked.c.number > kept, ranked.c.status.in_(FINAL)).limit(_SWEEP)
    ids = list(db.session.scalars(surplus))
    db.session.execute(delete(Execution).where(Execution.id.in_(ids)), execution_options=_BULK)
    return len(ids)
