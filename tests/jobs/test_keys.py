"""Tasks that run one after the other, however many workers there are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import Unavailable
from authsvc.core.settings import Settings
from authsvc.jobs import queue
from authsvc.jobs import service as jobs
from authsvc.jobs.context import JobContext
from authsvc.jobs.models import MANUAL, PENDING, RUNNING, Task
from tests.jobs.test_execution import REGISTRY, runner

pytestmark = pytest.mark.usefixtures("context")


def test_of_one_key_one_runs_at_a_time_in_order(app: Any, settings: Settings) -> None:
    """Also when the first has failed, and waits to be tried again; other keys go on."""
    ran: list[str] = []
    away = True

    def run(context: JobContext) -> dict[str, Any]:
        ran.append(context.payload["name"])
        if away and context.payload["name"] == "a1":
            raise Unavailable("away")
        return {}

    with transaction():
        execution = jobs.begin("TEST", MANUAL)
        for name in ("a1", "a2", "b1", "a3"):
            jobs.add_task(execution, "TEST", {"name": name}, key=name[0])
    one = runner(settings, run, attempts=3, exclusive=False)
    while one.run_next(REGISTRY):
        pass
    assert ran == ["a1", "b1"]
    away = False
    with transaction():
        db.session.execute(update(Task).values(due_at=utcnow()))
        candidates = queue.due()
        assert len(candidates) == 1
        db.session.execute(update(Task).where(Task.id == candidates[0].task_id).values(status=RUNNING))
        later = queue.Candidate(candidates[0].task_id + 1, candidates[0].execution_id, "TEST")
        assert queue.claim(later, "w:1", exclusive=False) is None, "whoever looked before somebody else began"
        db.session.execute(update(Task).where(Task.id == candidates[0].task_id).values(status=PENDING))
    while one.run_next(REGISTRY):
        pass
    assert ran == ["a1", "b1", "a1", "a2", "a3"]


def test_one_that_was_seen_late_waits_for_one_that_runs(app: Any) -> None:
    """Numbers are given before transactions end, so that the later one may be seen first, and run."""
    with transaction():
        execution = jobs.begin("TEST", MANUAL)
        late, running = (jobs.add_task(execution, "TEST", key="a").id for _ in range(2))
        now = utcnow()
        lease = now + timedelta(seconds=30)
        db.session.execute(update(Task).where(Task.id == running).values(status=RUNNING, worker="w:1", lease_until=lease))
    with transaction():
        assert queue.due() == []
        assert queue.claim(queue.Candidate(late, execution.id, "TEST"), "w:2", exclusive=False) is None
    with transaction():
        db.session.execute(update(Task).where(Task.id == running).values(lease_until=now - timedelta(seconds=1)))
        assert [one.task_id for one in queue.due()] == [running], "it was left behind: it goes on, and nobody waits for ever"
