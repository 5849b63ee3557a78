"""One holder at a time, whatever the clocks of the holders say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from authsvc.core import processes
from authsvc.core.db import db, present, utcnow
from authsvc.core.settings import Settings
from authsvc.inbox import service as inbox
from authsvc.inbox.models import InboxEvent
from authsvc.jobs import leases, monitor, queue, service
from authsvc.jobs.models import RUNNING, SCHEDULE, Execution, Lease, Task, WorkerPool
from authsvc.system import health
from authsvc.system.health import WORKER_LEASE, WORKER_LEASE_LENGTH
from authsvc.worker import _over

HOUR = timedelta(hours=1)
LONG = HOUR.total_seconds()


pytestmark = pytest.mark.usefixtures("context")


def set_until(moment: timedelta) -> None:
    db.session.execute(update(Lease).values(until=present() + moment))


def test_somebody_elses_lease_is_not_taken_until_it_is_over() -> None:
    assert leases.take("a", LONG, "me")
    assert not leases.take("a", LONG, "you")
    assert leases.take("a", LONG, "me")
    assert leases.held("", LONG) == {"a"}
    set_until(-timedelta(seconds=1))
    assert leases.held("", LONG) == set()
    assert leases.take("a", LONG, "you")
    assert not leases.take("a", LONG, "me")
    leases.give_back("a", "me")
    assert not leases.take("a", LONG, "me")
    leases.give_back("a", "you")
    assert leases.take("a", LONG, "me")


def test_a_lease_by_a_clock_that_was_ahead_holds_nobody_up() -> None:
    assert leases.take("a", LONG, "ahead")
    set_until(1.5 * HOUR)  # clocks differ a little, and somebody waited for the row
    assert not leases.take("a", LONG, "me")
    set_until(3 * HOUR)
    assert leases.held("", LONG) == set()
    assert leases.take("a", LONG, "me")
    assert not leases.take("a", LONG, "ahead")


def test_an_event_that_a_clock_put_off_for_longer_than_anybody_does_is_due() -> None:
    inbox.store("e", "{}")
    for wait, is_due in ((timedelta(seconds=200), False), (HOUR, True), (-HOUR, True)):
        db.session.execute(update(InboxEvent).values(due_at=present() + wait))
        assert inbox.is_due() is is_due


def test_a_task_whose_lease_a_clock_made_too_long_was_left_behind() -> None:
    execution = service.launch("RECONCILE", SCHEDULE)
    for left, is_left_behind in ((timedelta(seconds=50), False), (HOUR, True), (-HOUR, True)):
        db.session.execute(update(Task).values(status=RUNNING, lease_until=present() + left))
        assert [one.execution_id for one in queue.due()] == [execution.id] * is_left_behind


def test_what_began_in_the_future_is_started_again(settings: Settings) -> None:
    service.launch("RECONCILE", SCHEDULE)
    assert "RECONCILE" not in _over(settings)
    db.session.execute(update(Execution).values(start_time=utcnow() + HOUR))
    assert "RECONCILE" in _over(settings)


def test_a_worker_that_beat_in_the_future_is_none(settings: Settings) -> None:
    def jobservice() -> str:
        db.session.commit()
        return {one.name: one.status for one in health.check(settings)}["jobservice"]

    assert jobservice() == "unhealthy"
    leases.take(WORKER_LEASE, 1.9 * WORKER_LEASE_LENGTH.total_seconds())
    assert jobservice() == "healthy"
    set_until(HOUR)
    assert jobservice() == "unhealthy"


def test_the_databases_clock_is_a_clock() -> None:
    before = utcnow() - timedelta(seconds=1)
    assert before < present() < utcnow() + timedelta(seconds=1)
    assert present() <= present()


@pytest.mark.parametrize("is_here", [True, False])
def test_what_a_dead_worker_held_is_free_at_once(is_here: bool) -> None:
    """One that was killed here as soon as somebody looks, one elsewhere when it has been silent for some seconds."""
    execution = service.launch("RECONCILE", SCHEDULE)
    (candidate,) = queue.due()
    assert queue.claim(candidate, "dead:0", exclusive=True) is not None
    assert leases.take("recorder", 20, "host:4711:dead")
    space = processes.own_name().rsplit("/", 2)[0] if is_here else "elsewhere"
    for name, process in (("dead", f"{space}/1/1"), ("alive", processes.own_name())):
        db.session.add(
            WorkerPool(name=name, host="h", pid=1, concurrency=1, start_time=utcnow(), heartbeat_time=present(), process=process)
        )
    db.session.flush()
    if not is_here:
        assert monitor.bury() == []
        assert queue.due() == []
        db.session.execute(
            update(WorkerPool).where(WorkerPool.name == "dead").values(heartbeat_time=present() - timedelta(seconds=16))
        )
    assert monitor.bury() == ["dead"]
    assert [one.execution_id for one in queue.due()] == [execution.id]
    assert queue.claim(candidate, "alive:0", exclusive=True) is not None
    assert leases.take("recorder", 20, "host:4712:alive")
