"""What the job service does now: worker processes, their slots, queues; and pausing and emptying these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from authsvc.core import processes
from authsvc.core.db import db, present, utcnow
from authsvc.core.errors import NotFound
from authsvc.core.inserts import insert_ignore
from authsvc.jobs import leases, queue, service
from authsvc.jobs.models import PENDING, RUNNING, PausedQueue, Task, WorkerPool
from authsvc.jobs.schedules import SCHEDULER

ALL = "all"
# Harbor's clients expect exactly these; those that no feature of ours fills are empty.
HARBOR_QUEUES = (
    "AUDIT_LOGS_GDPR_COMPLIANT",
    "EXECUTION_SWEEP",
    "GARBAGE_COLLECTION",
    "IMAGE_SCAN",
    "P2P_PREHEAT",
    "PURGE_AUDIT_LOG",
    "REPLICATION",
    "RETENTION",
    "SCAN_DATA_EXPORT",
    SCHEDULER,
    "SLACK",
    "SYSTEM_ARTIFACT_CLEANUP",
    "WEBHOOK",
)
OUR_QUEUES = (
    "BACKUP",
    "GARBAGE_SWEEP",
    "LDAP_REREAD",
    "OIDC_CHECK",
    "PURGE",
    "PURGE_DECISIONS",
    "PURGE_SECRETS",
    "PURGE_VULNERABILITIES",
    "RECOMPUTE_QUOTA",
    "RECONCILE",
    "REGISTRY_HEALTH",
    "PROXY_CACHE",
    "REPLICATION_PLAN",
    "SCANNER_HEALTH",
    "SCAN_ALL",
)  # shown when they hold something or are paused
_SILENT = timedelta(seconds=15)  # without a heartbeat for so long a worker process is not there


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a worker process in which one task at a time runs; `task` is None while it is idle."""

    pool: str
    number: int
    task: Task | None

    @property
    def name(self) -> str:
        return slot_name(self.pool, self.number)


@dataclass(frozen=True, slots=True)
class Queue:
    """The tasks of one kind that wait; `latency` is the age of the oldest in seconds."""

    kind: str
    count: int
    latency: int
    paused: bool


def slot_name(pool: str, number: int) -> str:
    """What a running task's `worker` says."""
    return f"{pool}:{number}"


def beat(host: str, pid: int, concurrency: int, start_time: datetime) -> None:
    """Say that this process is there."""
    pool = WorkerPool(name=leases.POOL, host=host[:255], pid=pid, concurrency=concurrency, start_time=start_time)
    pool.heartbeat_time, pool.process = present(), processes.own_name()
    db.session.merge(pool)


def bury() -> list[str]:
    """Forget the worker processes that have ended here, or have been silent for a while anywhere; their names. What they held is
    free at once. One that was only silent finds it in others' hands, or still in its own."""
    now = present()
    dead = [pool for pool in db.session.scalars(select(WorkerPool)) if pool.name != leases.POOL and _is_dead(pool, now)]
    for pool in dead:
        leases.give_back_all(pool.name)
        queue.free(f"{pool.name}:")
        db.session.execute(delete(WorkerPool).where(WorkerPool.name == pool.name))
    return [pool.name for pool in dead]


def _is_dead(pool: WorkerPool, now: datetime) -> bool:
    is_silent = not now - _SILENT <= pool.heartbeat_time <= now + _SILENT
    return is_silent or (bool(pool.process) and processes.is_gone(pool.process))


def leave() -> None:
    """Say that this process ends."""
    db.session.execute(delete(WorkerPool).where(WorkerPool.name == leases.POOL))


def pools() -> Sequence[WorkerPool]:
    """The worker processes that are there."""
    alive = select(WorkerPool).where(WorkerPool.heartbeat_time >= present() - _SILENT)
    return db.session.scalars(alive.order_by(WorkerPool.start_time, WorkerPool.name)).all()


def slots(pool: str) -> list[Slot]:
    """The slots of one process, or of all.

    Raises:
        NotFound: there is no such process.
    """
    there = [each for each in pools() if pool in (ALL, each.name)]
    if not there and pool != ALL:
        raise NotFound(f"worker pool {pool[:64]} not found")
    running = {task.worker: task for task in db.session.scalars(select(Task).where(Task.status == RUNNING))}
    return [
        Slot(each.name, number, running.get(slot_name(each.name, number))) for each in there for number in range(each.concurrency)
    ]


def queues() -> list[Queue]:
    """Harbor's queues; of our own kinds those that hold something or are paused."""
    counted = select(Task.kind, func.count(), func.min(Task.creation_time)).where(Task.status == PENDING).group_by(Task.kind)
    waiting = {kind: (count, oldest) for kind, count, oldest in db.session.execute(counted)}
    paused = set(db.session.scalars(select(PausedQueue.kind)))
    now = utcnow()
    return [
        Queue(kind, count, int((now - oldest).total_seconds()), kind in paused)
        for kind in sorted({*HARBOR_QUEUES, *waiting, *paused})
        for count, oldest in [waiting.get(kind, (0, now))]
    ]


def kinds(name: str) -> tuple[str, ...]:
    """The queues that a name in a path stands for.

    Raises:
        NotFound
    """
    known = HARBOR_QUEUES + OUR_QUEUES
    if name.lower() == ALL:
        return known
    if name not in known:
        raise NotFound(f"there is no job queue {name[:64]}")
    return (name,)


def pause(names: Sequence[str]) -> None:
    """Start nothing more of these until they are resumed; what runs goes on. Pausing `SCHEDULER` holds all schedules."""
    for name in names:
        insert_ignore(PausedQueue, kind=name)


def resume(names: Sequence[str]) -> None:
    """Start again what waits."""
    db.session.execute(delete(PausedQueue).where(PausedQueue.kind.in_(names)))


def empty(names: Sequence[str]) -> None:
    """Stop all that waits; what runs goes on."""
    service.stop_tasks(Task.kind.in_(names), [PENDING])
