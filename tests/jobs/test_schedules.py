"""What recurs is started once for each time, whoever looks, and once for all times that were missed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from authsvc import wiring, worker
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import BadRequest, NotFound
from authsvc.core.settings import Settings
from authsvc.jobs import cron, monitor, schedules
from authsvc.jobs.context import Job
from authsvc.jobs.models import SCHEDULE, Execution, Schedule, Task

KIND = "PURGE_AUDIT_LOG"


@pytest.fixture(autouse=True)
def _settled(context: Any, settings: Settings) -> None:
    worker.start_due(settings)  # what runs at intervals starts at once, and is not looked at here


def put(vendor_id: int = -1, cron_text: str = "0 0 3 * * *", **params: Any) -> None:
    with transaction():
        schedules.put(KIND, vendor_id, "Custom", cron_text, params)


def let_time_come(ago: timedelta = timedelta(seconds=1)) -> None:
    with transaction():
        db.session.execute(update(Schedule).values(next_time=utcnow() - ago))


def started() -> int:
    with transaction():
        return db.session.scalar(select(func.count()).select_from(Execution).where(Execution.vendor_type == KIND)) or 0


@pytest.mark.parametrize(
    ("kind", "text", "parsed"),
    [
        ("Hourly", "", "0 0 * * * *"),
        ("Daily", "0 0 0 * * *", "0 0 0 * * *"),
        ("Weekly", "", "0 0 0 * * 0"),
        ("Custom", "  5 4 */2 ? * MON-FRI ", "5 4 */2 * * MON-FRI"),
        ("Schedule", "0 0 0 1 1 *", "0 0 0 1 1 *"),
    ],
)
def test_cron_lines(kind: str, text: str, parsed: str) -> None:
    assert cron.parse(kind, text) == parsed


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Custom", ""),
        ("Custom", "* * * * *"),
        ("Custom", "0 0 0 30 2 *"),
        ("Custom", "60 * * * * *"),
        ("Custom", "a b c d e f"),
        ("Custom", "0 0 0 1 1 * 2030"),
        ("Custom", "0 " * 3000),
        ("Yearly", "0 0 0 1 1 *"),
        ("None", ""),
        ("Manual", "0 0 0 * * *"),
    ],
)
def test_what_is_no_cron_line(kind: str, text: str) -> None:
    with pytest.raises(BadRequest):
        cron.parse(kind, text)


def test_seconds_come_first_and_times_are_utc() -> None:
    moment = datetime(2026, 3, 29, 0, 59, 59, 500_000, tzinfo=UTC)
    assert cron.next_after("30 1 * * * *", moment) == datetime(2026, 3, 29, 1, 1, 30, tzinfo=UTC)
    assert cron.next_after("*/10 * * * * *", moment) == datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC)


def test_it_starts_what_it_is_for_with_its_parameters(app: Any, settings: Settings) -> None:
    put(7, dry_run=True)
    worker.start_due(settings)
    assert started() == 0, "not yet"
    let_time_come()
    worker.start_due(settings)
    worker.start_due(settings)
    assert started() == 1
    execution = db.session.scalars(select(Execution).where(Execution.vendor_type == KIND)).one()
    assert (execution.trigger, execution.vendor_id) == (SCHEDULE, 7)
    assert db.session.scalars(select(Task).where(Task.execution_id == execution.id)).one().payload == {"dry_run": True}


def test_after_days_without_a_worker_it_starts_once(app: Any, settings: Settings) -> None:
    put(cron_text="0 * * * * *")
    let_time_come(timedelta(days=3))
    worker.start_due(settings)
    assert started() == 1
    following = schedules.find(KIND)
    assert following is not None
    assert utcnow() < following.next_time <= utcnow() + timedelta(minutes=1)


def four_workers_start_what_is_due(app: Any, settings: Settings) -> None:
    """At the same moment."""
    gate = threading.Barrier(4)

    def work() -> None:
        with app.app_context():
            gate.wait()
            worker.start_due(settings)
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_workers_one_starts_it(app: Any, settings: Settings) -> None:
    put(1)
    put(2)
    let_time_come()
    four_workers_start_what_is_due(app, settings)
    assert started() == 2


def test_intervals_are_started_once_by_several_workers(settings: Settings) -> None:
    app = create_base(settings)
    four_workers_start_what_is_due(app, settings)
    with app.app_context():
        counted = dict(db.session.execute(select(Execution.vendor_type, func.count()).group_by(Execution.vendor_type)).all())
        assert counted == {kind: 1 for kind, seconds in wiring.EVERY.items() if seconds(settings)}
        db.session.remove()
        db.engine.dispose()


def test_while_schedules_are_paused_nothing_starts_and_then_once(app: Any, settings: Settings) -> None:
    put()
    with transaction():
        monitor.pause([schedules.SCHEDULER])
    let_time_come()
    worker.start_due(settings)
    assert started() == 0
    with transaction():
        monitor.resume([schedules.SCHEDULER])
    worker.start_due(settings)
    assert started() == 1


def test_a_feature_may_say_how_it_is_started(app: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setitem(wiring.JOBS, KIND, Job(lambda _context: {}, start=lambda *what: given.append(what)))
    put(3, a=1)
    let_time_come()
    worker.start_due(settings)
    assert given == [(3, {"a": 1})]


def test_one_that_cannot_be_started_holds_up_no_other(app: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(vendor_id: int, _params: Any) -> None:
        if vendor_id == 1:
            raise NotFound("policy 1 not found")
        with_no_policy.append(vendor_id)

    with_no_policy: list[int] = []
    monkeypatch.setitem(wiring.JOBS, KIND, Job(lambda _context: {}, start=refuse))
    put(1)
    put(2)
    let_time_come()
    for _ in range(3):
        worker.start_due(settings)
    assert with_no_policy == [2]
    assert schedules.due() == []


def test_a_schedule_is_replaced_and_removed(app: Any, settings: Settings) -> None:
    put()
    put(cron_text="0 0 4 * * *")
    assert [schedule.cron for schedule in db.session.scalars(schedules.every())] == ["0 0 4 * * *"]
    with transaction():
        schedules.remove(KIND)
    assert schedules.find(KIND) is None
