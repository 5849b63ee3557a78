"""Schedules: set by features for what recurs, started by a worker when their time comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, select, update

from authsvc.core.db import db, utcnow
from authsvc.jobs import cron as crons
from authsvc.jobs.models import SYSTEM, PausedQueue, Schedule

SCHEDULER = "SCHEDULER"  # the queue whose pause holds every schedule


def put(vendor_type: str, vendor_id: int, cron_type: str, cron: str, params: Mapping[str, Any] | None = None) -> Schedule:
    """Set the schedule of a vendor, in the place of one it has. `params` are given to what it starts.

    Raises:
        BadRequest: it cannot be understood, or never comes.
    """
    text = crons.parse(cron_type, cron)
    schedule = find(vendor_type, vendor_id)
    if schedule is None:
        schedule = Schedule(vendor_type=vendor_type, vendor_id=vendor_id)
        db.session.add(schedule)
    schedule.cron_type, schedule.cron, schedule.params = cron_type, text, dict(params or {})
    schedule.next_time = crons.next_after(text, utcnow())
    db.session.flush()
    return schedule


def find(vendor_type: str, vendor_id: int = SYSTEM) -> Schedule | None:
    """The schedule of a vendor, or None."""
    return db.session.scalar(select(Schedule).where(Schedule.vendor_type == vendor_type, Schedule.vendor_id == vendor_id))


def remove(vendor_type: str, vendor_id: int = SYSTEM) -> None:
    """Let it not recur any more."""
    db.session.execute(delete(Schedule).where(Schedule.vendor_type == vendor_type, Schedule.vendor_id == vendor_id))


def every() -> Select[Any]:
    """All schedules."""
    return select(Schedule)


def are_paused() -> bool:
    """True while all schedules are held."""
    return db.session.get(PausedQueue, SCHEDULER) is not None


def due() -> Sequence[Schedule]:
    """The schedules whose time has come; none while they are paused."""
    if are_paused():
        return []
    return db.session.scalars(every().where(Schedule.next_time <= utcnow()).order_by(Schedule.next_time).limit(50)).all()


def take(schedule: Schedule) -> bool:
    """Move a due schedule on to its next time, in the transaction that starts what it is for; False if another worker did.

    The next time is counted from now: what was missed while no worker ran is made up for once, not once for each time.
    """
    result: Any = db.session.execute(
        update(Schedule)
        .where(Schedule.id == schedule.id, Schedule.next_time == schedule.next_time)
        .values(next_time=crons.next_after(schedule.cron, utcnow()), update_time=Schedule.update_time),
        execution_options={"synchronize_session": False},
    )
    return bool(result.rowcount)
