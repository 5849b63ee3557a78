"""The job service by Harbor's API: true over what exists."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db, utcnow
from authsvc.jobs import leases, monitor, schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.context import Job, JobContext
from authsvc.jobs.models import MANUAL, Task
from authsvc.jobs.runner import Runner
from tests.support.world import World

OPERATIONS = [
    ("GET", "/jobservice/pools", None),
    ("GET", "/jobservice/pools/all/workers", None),
    ("PUT", "/jobservice/jobs/0123456789abcdef01234567", None),
    ("GET", "/jobservice/jobs/0123456789abcdef01234567/log", None),
    ("GET", "/jobservice/queues", None),
    ("PUT", "/jobservice/queues/all", {"action": "pause"}),
    ("GET", "/schedules", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_it_is_for_system_administrators(world: World, method: str, path: str, body: object) -> None:
    world.user("alice")
    assert world.api(method, path, json=body).status_code == 401
    assert world.api(method, path, "alice", json=body).status_code == 403


def say_hello(context: JobContext) -> dict[str, Any]:
    context.log("hello")
    return {}


def launch(world: World, kind: str = "RETENTION") -> str:
    with world.changes():
        execution = jobs.launch(kind, MANUAL)
        return str(db.session.scalars(jobs.tasks_of(execution)).one().job_id)


def test_pools_and_their_slots(world: World) -> None:
    assert world.api("GET", "/jobservice/pools", "admin").get_json() == []
    job_id = launch(world)
    with world.changes():
        monitor.beat("host.example.com", 4711, 2, utcnow())
        task = jobs.get_by_job_id(job_id)
        task.status, task.worker, task.start_time = "Running", monitor.slot_name(leases.POOL, 1), utcnow()
    (pool,) = world.api("GET", "/jobservice/pools", "admin").get_json()
    assert (pool["pid"], pool["host"], pool["concurrency"], pool["worker_pool_id"]) == (4711, "host.example.com", 2, leases.POOL)
    workers = world.api("GET", f"/jobservice/pools/{leases.POOL}/workers", "admin").get_json()
    assert workers[0] == {"id": f"{leases.POOL}:0", "pool_id": leases.POOL}
    assert (workers[1]["job_name"], workers[1]["job_id"]) == ("RETENTION", job_id)
    assert world.api("GET", "/jobservice/pools/all/workers", "admin").get_json() == workers
    assert world.api("GET", "/jobservice/pools/nobody/workers", "admin").status_code == 404


def test_queues_can_be_paused_resumed_and_emptied(world: World) -> None:
    def queue(kind: str) -> dict[str, object]:
        queues = world.api("GET", "/jobservice/queues", "admin").get_json()
        return next(queue for queue in queues if queue["job_type"] == kind)

    names = [each["job_type"] for each in world.api("GET", "/jobservice/queues", "admin").get_json()]
    assert names == sorted(monitor.HARBOR_QUEUES)
    launch(world)
    assert queue("RETENTION") == {"job_type": "RETENTION", "count": 1, "paused": False}
    assert world.api("PUT", "/jobservice/queues/RETENTION", "admin", json={"action": "pause"}).status_code == 200
    assert queue("RETENTION")["paused"] is True
    assert world.api("PUT", "/jobservice/queues/all", "admin", json={"action": "resume"}).status_code == 200
    assert queue("RETENTION")["paused"] is False
    assert world.api("PUT", "/jobservice/queues/RETENTION", "admin", json={"action": "stop"}).status_code == 200
    assert queue("RETENTION") == {"job_type": "RETENTION", "paused": False}
    assert world.api("PUT", "/jobservice/queues/RETENTION", "admin", json={"action": "burn"}).status_code == 422
    assert world.api("PUT", "/jobservice/queues/NONE_SUCH", "admin", json={"action": "stop"}).status_code == 404


def test_a_job_is_stopped_and_its_log_read(world: World) -> None:
    job_id = launch(world)
    assert world.api("GET", f"/jobservice/jobs/{job_id}/log", "admin").status_code == 404, "it said nothing yet"
    with world.front.flask.app_context():
        flask = world.front.flask
        Runner({"RETENTION": Job(say_hello)}, flask.config["TIDEGATE"], "w:0").run_next(flask.extensions["registry"])
    log = world.api("GET", f"/jobservice/jobs/{job_id}/log", "admin")
    assert (log.status_code, log.mimetype) == (200, "text/plain")
    assert log.text.endswith("[INFO] hello\n")
    waiting = launch(world)
    assert world.api("PUT", f"/jobservice/jobs/{waiting}", "admin").status_code == 200
    with world.changes():
        assert db.session.query(Task).filter_by(job_id=waiting).one().status == "Stopped"
    for unknown in ("0" * 24, "x' OR 1=1--", "9" * 400):
        assert world.api("PUT", f"/jobservice/jobs/{unknown}", "admin").status_code == 404
        assert world.api("GET", f"/jobservice/jobs/{unknown}/log", "admin").status_code == 404


def test_schedules_are_listed_and_may_all_be_paused(world: World) -> None:
    world.user("alice")
    with world.changes():
        schedules.put("RETENTION", 3, "Daily", "")
    listed = world.api("GET", "/schedules", "admin")
    (only,) = listed.get_json()
    assert (only["vendor_type"], only["vendor_id"], only["cron"]) == ("RETENTION", 3, "0 0 0 * * *")
    assert listed.headers["X-Total-Count"] == "1"
    assert world.api("GET", "/schedules/all/paused", "alice").get_json() == {"paused": False}
    assert world.api("GET", "/schedules/all/paused").status_code == 401
    assert world.api("GET", "/schedules/RETENTION/paused", "admin").status_code == 400
    assert world.api("PUT", "/jobservice/queues/SCHEDULER", "admin", json={"action": "pause"}).status_code == 200
    assert world.api("GET", "/schedules/all/paused", "alice").get_json() == {"paused": True}
