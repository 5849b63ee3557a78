"""The pages of what runs in the background."""

from __future__ import annotations

import pytest

from authsvc.core.db import db
from authsvc.jobs import monitor, schedules, service
from authsvc.jobs.models import STOPPED, Task, TaskLog
from tests.support.visitor import Visitor
from tests.support.world import World

JOBS, RUNS = "/admin/jobs", "/admin/runs"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def boss(world: World) -> Visitor:
    world.user("root", sysadmin=True)
    visitor = Visitor(world)
    visitor.sign_in("root")
    return visitor


def launched(world: World, kind: str = "RECONCILE", log: str = "") -> int:
    with world.changes():
        execution = service.launch(kind, "MANUAL")
        if log:
            task = service.only_task(execution)
            db.session.add(TaskLog(task_id=task.id, text=log))
        return execution.id


def test_queues_are_paused_resumed_and_emptied(world: World, boss: Visitor) -> None:
    run = launched(world)
    assert "Stop what waits RECONCILE" in boss.page(JOBS).text
    assert boss.post(JOBS, queue="RECONCILE", action="pause").headers["Location"] == JOBS
    assert "paused" in boss.page(JOBS).text
    with world.changes():
        assert {queue.kind for queue in monitor.queues() if queue.paused} == {"RECONCILE"}
    assert boss.post(JOBS, queue="RECONCILE", action="resume").status_code == 303
    with world.changes():
        assert not any(queue.paused for queue in monitor.queues())
    assert boss.post(JOBS, queue="RECONCILE", action="stop").status_code == 303
    with world.changes():
        assert service.get_any(run).status == STOPPED
    for form, status in (
        ({"queue": "RECONCILE", "action": "explode"}, 400),
        ({"queue": HOSTILE, "action": "pause"}, 404),
        ({}, 400),
    ):
        refused = boss.post(JOBS, form)
        assert (refused.status_code, refused.mimetype) == (status, "text/html")


def test_all_schedules_are_held_by_one_queue(world: World, boss: Visitor) -> None:
    with world.changes():
        schedules.put("AUDIT_PURGE", -1, "Daily", "0 0 0 * * *")
    text = boss.page(JOBS).text
    assert "AUDIT_PURGE" in text
    assert "Daily" in text
    assert boss.post(JOBS, queue="SCHEDULER", action="pause").status_code == 303
    assert "All schedules are paused" in boss.page(JOBS).text


def test_runs_are_found_and_read(world: World, boss: Visitor) -> None:
    first = launched(world, log=f"compared 7 tags\n{HOSTILE}\n")
    for _ in range(60):
        launched(world, "PURGE")
    assert "1 to 50 of 61" in boss.page(RUNS).text
    found = boss.page(f"{RUNS}?search=reconcile&status=Pending")
    assert f"{RUNS}/{first}" in found.links
    assert "1 to 1 of 1" in found.text
    shown = boss.page(f"{RUNS}/{first}")
    assert "compared 7 tags" in shown.text
    assert HOSTILE in shown.text
    assert shown.foul == []
    assert "Nothing like this has run." in boss.page(f"{RUNS}?search=nothing").text
    for wrong in ("status=Perhaps", "sort=payload", "search=%00"):
        assert boss.get(f"{RUNS}?{wrong}").status_code == 400
    assert boss.get(f"{RUNS}/999999").status_code == 404


def test_a_run_is_stopped(world: World, boss: Visitor) -> None:
    run = launched(world)
    assert boss.post(f"{RUNS}/{run}").headers["Location"] == f"{RUNS}/{run}"
    with world.changes():
        execution = service.get_any(run)
        assert [execution.status, service.only_task(execution).status] == [STOPPED, STOPPED]
    assert "btn-outline-danger" not in boss.get(f"{RUNS}/{run}").text
    noted = boss.page("/admin/log?kind=job").text
    assert f"RECONCILE {run}" in noted


def test_nobody_else_sees_or_stops_anything(world: World, boss: Visitor) -> None:
    run = launched(world)
    world.user("alice")
    alice = Visitor(world)
    alice.sign_in("alice")
    for path in (JOBS, RUNS, f"{RUNS}/{run}"):
        assert alice.get(path).status_code == 403
        assert Visitor(world).get(path).status_code == 302
    for path in (JOBS, f"{RUNS}/{run}"):
        assert alice.post(path, queue="RECONCILE", action="stop").status_code == 403
        assert Visitor(world).post(path, queue="RECONCILE", action="stop").status_code == 401
    with world.changes():
        assert db.session.query(Task).filter_by(status=STOPPED).count() == 0


def test_of_a_long_log_the_end_is_shown(world: World, boss: Visitor) -> None:
    run = launched(world)
    with world.changes():
        task = service.only_task(service.get_any(run))
        db.session.add_all([TaskLog(task_id=task.id, text=f"piece {number} {'x' * 8000}\n") for number in range(40)])
    text = boss.page(f"{RUNS}/{run}").text
    assert "piece 39" in text
    assert "piece 1 " not in text
    assert len(text) < 70_000
