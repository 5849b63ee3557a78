"""The purge of the audit log: now, by schedule, in trial, with a history and a log, stopped."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from authsvc import worker
from authsvc.audit import service as audit
from authsvc.audit.models import AuditLog
from authsvc.core import slices
from authsvc.core.db import db, utcnow
from authsvc.jobs.models import Schedule
from authsvc.jobs.runner import Runner
from authsvc.wiring import JOBS
from tests.support.world import World

PATH = "/system/purgeaudit"


def post(world: World, method: str = "POST", kind: str = "Manual", cron: str = "", **parameters: Any) -> Any:
    body = {"schedule": {"type": kind, "cron": cron}, "parameters": {"audit_retention_hour": 24} | parameters}
    return world.api(method, f"{PATH}/schedule", "admin", json=body)


def work(world: World) -> None:
    flask = world.front.flask
    with flask.app_context():
        assert Runner(JOBS, flask.config["TIDEGATE"], "w:0").run_next(flask.extensions["registry"])
        db.session.remove()


def note(world: World, *events: str, hours: int = 48) -> None:
    with world.changes():
        for event in events:
            operation, _, resource_type = event.partition("_")
            audit.record("alice", operation, resource_type, event, at=utcnow() - timedelta(hours=hours))


def left(world: World) -> list[str]:
    with world.changes():
        return list(db.session.scalars(select(AuditLog.resource).where(AuditLog.username == "alice").order_by(AuditLog.id)))


def test_now(world: World) -> None:
    note(world, "create_project", "pull_artifact")
    note(world, "create_user", hours=1)
    response = post(world)
    assert response.status_code == 201
    run_id = int(response.headers["Location"].rpartition("/")[2])
    assert response.headers["Location"] == f"/api/v2.0{PATH}/{run_id}"
    (waiting,) = world.api("GET", PATH, "admin").get_json()
    assert (waiting["id"], waiting["job_kind"], waiting["job_status"], waiting["job_name"]) == (
        run_id, "MANUAL", "Pending", "PURGE_AUDIT_LOG",
    )  # fmt: skip
    assert post(world).status_code == 409, "one at a time"
    work(world)
    assert left(world) == ["create_user"]
    run = world.api("GET", f"{PATH}/{run_id}", "admin").get_json()
    assert run["job_status"] == "Success"
    assert json.loads(run["job_parameters"])["audit_retention_hour"] == 24
    log = world.api("GET", f"{PATH}/{run_id}/log", "admin")
    assert "Purge audit job start" in log.text
    assert "Purged 2 rows of audit logs" in log.text
    (told,) = world.api("GET", "/auditlog-exts?q=resource_type=audit-log", "admin").get_json()
    assert told["operation_description"] == "2 entries purged"


def test_a_trial_deletes_nothing(world: World) -> None:
    note(world, "create_project")
    post(world, dry_run=True)
    work(world)
    assert left(world) == ["create_project"]
    run_id = world.api("GET", PATH, "admin").get_json()[0]["id"]
    assert "[DRYRUN] Purged 1 rows" in world.api("GET", f"{PATH}/{run_id}/log", "admin").text


@pytest.mark.parametrize(
    ("parameters", "remaining"),
    [
        ({"include_event_types": "pull_artifact,create_user"}, ["create_project", "login_user", "create_gadget"]),
        ({"include_event_types": "other_events"}, ["create_project", "create_user", "pull_artifact", "login_user"]),
        ({"include_operations": "create,pull"}, ["login_user", "create_gadget"]),
        ({"include_event_types": "no_such"}, ["create_project", "create_user", "pull_artifact", "login_user", "create_gadget"]),
        ({}, []),
    ],
)
def test_only_of_some_kinds(world: World, parameters: dict[str, str], remaining: list[str]) -> None:
    note(world, "create_project", "create_user", "pull_artifact", "login_user", "create_gadget")
    post(world, **parameters)
    work(world)
    assert left(world) == remaining


def test_many_in_small_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_ROWS", 3)
    note(world, *["create_project"] * 9)
    post(world)
    work(world)
    assert left(world) == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"audit_retention_hour": -1},
        {"audit_retention_hour": 240_001},
        {"audit_retention_hour": "24"},
        {"audit_retention_hour": None},
        {"audit_retention_hour": True},
        {"audit_retention_hour": 1.5},
        {"include_event_types": 7},
        {"include_event_types": ["create_user"]},
        {"include_operations": "x" * 3000},
        {"dry_run": "yes"},
    ],
)
def test_parameters_that_cannot_be_used(world: World, parameters: dict[str, Any]) -> None:
    assert post(world, **parameters).status_code == 400
    assert post(world, kind="Daily", **parameters).status_code == 400


def test_by_schedule(world: World) -> None:
    assert world.api("GET", f"{PATH}/schedule", "admin").get_json() == {}
    response = post(world, kind="Daily", dry_run=True)
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/v2.0{PATH}/0")
    shown = world.api("GET", f"{PATH}/schedule", "admin").get_json()
    assert (shown["schedule"]["type"], shown["schedule"]["cron"]) == ("Daily", "0 0 0 * * *")
    assert shown["schedule"]["next_scheduled_time"].endswith("T00:00:00.000Z")
    assert json.loads(shown["job_parameters"])["dry_run"] is True
    assert post(world, "PUT", "Custom", "0 30 4 * * 1").status_code == 200
    assert world.api("GET", f"{PATH}/schedule", "admin").get_json()["schedule"]["cron"] == "0 30 4 * * 1"
    with world.changes():
        worker.start_due(world.front.flask.config["TIDEGATE"])
        db.session.execute(update(Schedule).values(next_time=utcnow() - timedelta(seconds=1)))
        db.session.commit()
        worker.start_due(world.front.flask.config["TIDEGATE"])
    (run,) = world.api("GET", PATH, "admin").get_json()
    assert (run["job_kind"], run["schedule"]["type"]) == ("SCHEDULE", "Schedule")
    assert post(world, "PUT", "None").status_code == 200
    assert world.api("GET", f"{PATH}/schedule", "admin").get_json() == {}


@pytest.mark.parametrize(("kind", "cron", "status"), [("Custom", "* * * * *", 400), ("Custom", "", 400), ("Yearly", "", 422)])
def test_schedules_that_cannot_be_used(world: World, kind: str, cron: str, status: int) -> None:
    assert post(world, kind=kind, cron=cron).status_code == status


def test_stopped(world: World) -> None:
    post(world)
    run_id = world.api("GET", PATH, "admin").get_json()[0]["id"]
    assert world.api("PUT", f"{PATH}/{run_id}", "admin").status_code == 200
    assert world.api("GET", f"{PATH}/{run_id}", "admin").get_json()["job_status"] == "Stopped"
    assert world.api("GET", f"{PATH}/{run_id}/log", "admin").status_code == 404
    assert world.api("PUT", f"{PATH}/99999", "admin").status_code == 404
    assert world.api("GET", f"/system/gc/{run_id}", "admin").status_code == 404, "it is none of these"


def test_what_may_be_asked_of_garbage_collection(world: World) -> None:
    weekly = {"schedule": {"type": "Weekly"}, "parameters": {"workers": 2}}
    assert world.api("POST", "/system/gc/schedule", "admin", json=weekly).status_code == 201
    assert world.api("GET", "/system/gc/schedule", "admin").get_json()["schedule"]["type"] == "Weekly"
    for wrong in ({"workers": 0}, {"workers": 11}, {"workers": True}, {"delete_untagged": "yes"}):
        assert world.api("POST", "/system/gc/schedule", "admin", json=weekly | {"parameters": wrong}).status_code == 400
    assert world.api("GET", "/system/gc", "admin").get_json() == []
    now = {"schedule": {"type": "Manual"}, "parameters": {"delete_untagged": True}}
    assert world.api("POST", "/system/gc/schedule", "admin", json=now).status_code == 201
    assert world.api("POST", "/system/gc/schedule", "admin", json=now).status_code == 409, "it waits already"
    (run,) = world.api("GET", "/system/gc", "admin").get_json()
    assert json.loads(run["job_parameters"]) == {"delete_untagged": True, "dry_run": False, "workers": 1}
