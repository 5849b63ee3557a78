"""Executions and tasks: run once, again when a worker died, later when they failed, not at all when stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import Unavailable
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.jobs import logs, monitor, queue
from authsvc.jobs import service as jobs
from authsvc.jobs.context import Failed, Job, JobContext
from authsvc.jobs.models import ERROR, MANUAL, PENDING, RUNNING, STOPPED, SUCCESS, Execution, Lease, Task
from authsvc.jobs.runner import Runner
from authsvc.wiring import JOBS

REGISTRY = RegistryClient("http://127.0.0.1:1", lambda _scope: "")


pytestmark = pytest.mark.usefixtures("context")


def runner(settings: Settings, run: Callable[[JobContext], dict[str, Any]], worker: str = "w:0", **options: Any) -> Runner:
    return Runner({"TEST": Job(run, **options)}, settings, worker)


def say_x(context: JobContext) -> dict[str, Any]:
    context.log("x")
    return {}


def launch(tasks: int = 1, **payload: Any) -> int:
    with transaction():
        execution = jobs.begin("TEST", MANUAL)
        for number in range(tasks):
            jobs.add_task(execution, "TEST", payload | {"number": number})
        return execution.id


def status(execution_id: int) -> str:
    with transaction():
        return db.session.get_one(Execution, execution_id).status


def the_task(execution_id: int) -> Task:
    return db.session.scalars(
        select(Task).where(Task.execution_id == execution_id).execution_options(populate_existing=True)
    ).one()


def test_a_task_runs_with_its_payload_and_says_how_it_went(app: Any, settings: Settings) -> None:
    def run(context: JobContext) -> dict[str, Any]:
        context.log(f"colour {context.payload['colour']}\nforged line")
        return {"seen": context.payload["colour"]}

    execution_id = launch(colour="red")
    assert status(execution_id) == PENDING
    assert runner(settings, run).run_next(REGISTRY)
    assert status(execution_id) == SUCCESS
    task = the_task(execution_id)
    assert (task.status, task.extra_attrs, task.run_count, len(task.job_id)) == (SUCCESS, {"seen": "red"}, 1, 24)
    assert logs.read(task).endswith("[INFO] colour red forged line\n")
    assert not runner(settings, run).run_next(REGISTRY)


def test_what_takes_a_moment_never_waits_for_what_takes_hours(app: Any, settings: Settings) -> None:
    """However many of those wait, and however long they have."""
    long = launch(tasks=60)
    with transaction():
        short = jobs.launch("SHORT", MANUAL).id
    kinds = {"TEST": Job(say_x, exclusive=False, lasting=True), "SHORT": Job(say_x)}
    quick = Runner(kinds, settings, "w:0", is_quick=True)
    assert quick.run_next(REGISTRY)
    assert (status(short), status(long)) == (SUCCESS, PENDING)
    assert not quick.run_next(REGISTRY)
    assert Runner(kinds, settings, "w:1").run_next(REGISTRY)
    assert status(long) == RUNNING


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 10, 60), (600, 590, 660), (10**9, 3590, 3660)])
def test_who_is_asked_to_wait_waits_within_reason(app: Any, settings: Settings, asked: int | None, least: int, most: int) -> None:
    def run(_context: JobContext) -> dict[str, Any]:
        raise Unavailable("not now", retry_after=asked)

    execution_id = launch()
    assert runner(settings, run, attempts=3).run_next(REGISTRY)
    due_in = (the_task(execution_id).due_at - utcnow()).total_seconds()
    assert least < due_in < most


def test_an_execution_is_what_its_tasks_are(app: Any, settings: Settings) -> None:
    def run(context: JobContext) -> dict[str, Any]:
        if context.payload["number"] == 1:
            raise Unavailable("the second one does not work")
        return {}

    execution_id = launch(tasks=3)
    one = runner(settings, run)
    one.run_next(REGISTRY)
    assert status(execution_id) == RUNNING
    one.run_next(REGISTRY)
    one.run_next(REGISTRY)
    with transaction():
        execution = db.session.get_one(Execution, execution_id)
        assert (execution.status, execution.status_message) == (ERROR, "the second one does not work")
        assert execution.end_time is not None
        assert jobs.metrics([execution_id]) == {execution_id: {SUCCESS: 2, ERROR: 1}}


def test_what_is_worth_fewer_attempts(app: Any, settings: Settings) -> None:
    def run(_context: JobContext) -> dict[str, Any]:
        raise Failed("refused", 1)

    execution_id = launch()
    assert runner(settings, run, attempts=5).run_next(REGISTRY)
    assert status(execution_id) == ERROR


def test_a_failed_run_is_tried_again_later(app: Any, settings: Settings) -> None:
    def run(_context: JobContext) -> dict[str, Any]:
        raise ValueError("a bug with a secret in it: hunter2")

    execution_id = launch()
    one = runner(settings, run, attempts=2)
    assert one.run_next(REGISTRY)
    task = the_task(execution_id)
    assert (task.status, task.run_count, task.status_message) == (PENDING, 1, "ValueError")
    assert task.due_at > utcnow() + timedelta(seconds=10)
    db.session.rollback()
    assert not one.run_next(REGISTRY), "not yet"
    with transaction():
        db.session.execute(update(Task).values(due_at=utcnow()))
    assert one.run_next(REGISTRY)
    assert status(execution_id) == ERROR
    assert "hunter2" not in logs.read(the_task(execution_id))


def test_what_waits_is_stopped_at_once_and_what_runs_at_its_next_step(app: Any, settings: Settings) -> None:
    steps: list[str] = []

    def run(context: JobContext) -> dict[str, Any]:
        context.keep_going()
        steps.append("before")
        with transaction():
            jobs.stop(db.session.get_one(Execution, context.execution_id))
        context.keep_going()
        steps.append("after")
        return {}

    execution_id = launch(tasks=2)
    assert runner(settings, run).run_next(REGISTRY)
    assert steps == ["before"]
    assert status(execution_id) == STOPPED
    assert not runner(settings, run).run_next(REGISTRY)
    with transaction():
        jobs.stop(db.session.get_one(Execution, execution_id))  # once more is nothing
    assert status(execution_id) == STOPPED


def test_what_ends_although_it_was_stopped_stays_stopped(app: Any, settings: Settings) -> None:
    def run(context: JobContext) -> dict[str, Any]:
        with transaction():
            jobs.stop(db.session.get_one(Execution, context.execution_id))
        return {"done": True}

    execution_id = launch()
    runner(settings, run).run_next(REGISTRY)
    assert the_task(execution_id).status == STOPPED


def test_of_many_workers_one_runs_a_task(app: Any, settings: Settings) -> None:
    ran: list[int] = []

    def run(context: JobContext) -> dict[str, Any]:
        ran.append(context.payload["number"])
        return {}

    def work(name: str) -> None:
        with app.app_context():
            while runner(settings, run, name, exclusive=False).run_next(REGISTRY):
                pass
            db.session.remove()

    execution_id = launch(tasks=20)
    threads = [threading.Thread(target=work, args=(f"w:{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work("w:9")  # a worker that lost each race may have gone home early
    assert sorted(ran) == list(range(20))
    assert status(execution_id) == SUCCESS


def test_a_kind_that_runs_alone_runs_alone(app: Any, settings: Settings) -> None:
    inside: list[bool] = []

    def run(_context: JobContext) -> dict[str, Any]:
        if not inside:
            inside.append(True)
            inside.append(runner(settings, run, "w:1").run_next(REGISTRY))
        return {}

    launch(tasks=2)
    assert runner(settings, run, "w:0").run_next(REGISTRY)
    assert inside == [True, False], "the second waits"
    assert runner(settings, run, "w:1").run_next(REGISTRY), "and runs afterwards"


def test_what_a_dead_worker_left_runs_again_and_the_dead_one_changes_nothing_more(app: Any, settings: Settings) -> None:
    def dead(context: JobContext) -> dict[str, Any]:
        with transaction():  # what its being silent for a minute looks like
            db.session.execute(update(Task).values(lease_until=utcnow() - timedelta(seconds=1)))
            db.session.execute(update(Lease).values(until=utcnow() - timedelta(seconds=1)))
        assert runner(settings, lambda _context: {"by": "the second"}, "w:1").run_next(REGISTRY)
        context.keep_going()
        raise AssertionError("it goes on")

    execution_id = launch()
    runner(settings, dead, "w:0").run_next(REGISTRY)
    task = the_task(execution_id)
    assert (task.status, task.extra_attrs, task.run_count) == (SUCCESS, {"by": "the second"}, 2)


def test_what_kills_its_workers_is_given_up(app: Any, settings: Settings) -> None:
    execution_id = launch()
    with transaction():
        db.session.execute(update(Task).values(run_count=queue.MAX_RUNS))
    runner(settings, lambda _context: {}).run_next(REGISTRY)
    assert status(execution_id) == ERROR


def test_a_worker_that_ends_gives_its_task_back(app: Any, settings: Settings) -> None:
    def run(context: JobContext) -> dict[str, Any]:
        context.keep_going()
        return {}

    execution_id = launch()
    ending = Runner({"TEST": Job(run)}, settings, "w:0", lambda: True)
    assert ending.run_next(REGISTRY)
    assert (the_task(execution_id).status, the_task(execution_id).run_count) == (PENDING, 0)
    db.session.rollback()
    assert runner(settings, run, "w:1").run_next(REGISTRY)
    assert status(execution_id) == SUCCESS


def test_a_paused_queue_starts_nothing(app: Any, settings: Settings) -> None:
    launch()
    with transaction():
        monitor.pause(["TEST"])
    assert not runner(settings, lambda _context: {}).run_next(REGISTRY)
    with transaction():
        monitor.resume(["TEST"])
    assert runner(settings, lambda _context: {}).run_next(REGISTRY)


def test_a_queue_is_emptied(app: Any, settings: Settings) -> None:
    first, second = launch(tasks=2), launch()
    runner(settings, lambda _context: {}).run_next(REGISTRY)
    with transaction():
        monitor.empty(["TEST"])
    assert (status(first), status(second)) == (STOPPED, STOPPED)


def test_only_the_newest_executions_are_kept(app: Any, settings: Settings) -> None:
    ids = [launch() for _ in range(5)]
    one = runner(settings, say_x)
    for _ in range(4):
        one.run_next(REGISTRY)
    with transaction():
        assert jobs.sweep("TEST", 2) == 3
        assert jobs.sweep("TEST", 2) == 0
    left = list(db.session.scalars(select(Execution.id).order_by(Execution.id)))
    assert left == ids[3:], "the one that waits is among them"


def test_a_log_is_bounded(app: Any, settings: Settings) -> None:
    def run(context: JobContext) -> dict[str, Any]:
        for _ in range(700):
            context.log("x" * 5000)
        return {}

    execution_id = launch()
    runner(settings, run).run_next(REGISTRY)
    text = logs.read(the_task(execution_id))
    assert len(text) < logs.MAX_CHARACTERS + 100
    assert text.endswith("longer than what is kept]\n")


def test_every_kind_has_a_queue() -> None:
    assert JOBS.keys() <= {*monitor.HARBOR_QUEUES, *monitor.OUR_QUEUES}
