"""Policies by Harbor's API."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.jobs import schedules
from authsvc.jobs.models import Schedule, Task
from authsvc.replication.service import KIND
from authsvc.wiring import JOBS
from tests.replication.conftest import Pair

SCHEDULED: dict[str, Any] = {"trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 3 * * *"}}}


def shown(pair: Pair, policy: int) -> dict[str, Any]:
    answer = pair.world.api("GET", f"/replication/policies/{policy}", "admin")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_policy_is_made_shown_changed_and_deleted(pair: Pair) -> None:
    policy = pair.policy(
        name="one",
        description="d",
        dest_namespace="n",
        dest_namespace_replace_count=2,
        speed=100,
        copy_by_chunk=True,
        **SCHEDULED,
    )
    said = shown(pair, policy)
    assert said["trigger"] == SCHEDULED["trigger"]
    assert (said["dest_registry"]["id"], said["dest_registry"]["name"], said["dest_registry"]["type"]) == (
        1,
        "far",
        "docker-registry",
    )
    assert (said["src_registry"]["id"], said["src_registry"]["name"], said["src_registry"]["type"]) == (0, "Local", "harbor")
    assert "credential" not in said["src_registry"]
    assert (said["dest_namespace"], said["dest_namespace_replace_count"], said["speed"]) == ("n", 2, 100)
    assert (said["enabled"], said["override"], said["copy_by_chunk"]) == (True, True, True)
    with pair.world.front.flask.app_context():
        assert schedules.find(KIND, policy) is not None
    said |= {"name": "other", "trigger": {"type": "manual"}, "enabled": False}
    assert pair.world.api("PUT", f"/replication/policies/{policy}", "admin", json=said).status_code == 200
    with pair.world.front.flask.app_context():
        assert schedules.find(KIND, policy) is None
    listed = pair.world.api("GET", "/replication/policies?name=THE", "admin")
    assert ([one["name"] for one in listed.get_json()], listed.headers["X-Total-Count"]) == (["other"], "1")
    refused = pair.world.api("POST", "/replication/executions", "admin", json={"policy_id": policy})
    assert (refused.status_code, "is disabled" in refused.text) == (412, True)
    assert pair.world.api("DELETE", "/registries/1", "admin").status_code == 412, "it is used"
    assert pair.world.api("DELETE", f"/replication/policies/{policy}", "admin").status_code == 200
    assert pair.world.api("GET", f"/replication/policies/{policy}", "admin").status_code == 404
    assert pair.world.api("DELETE", "/registries/1", "admin").status_code == 200
    noted = pair.world.api("GET", "/auditlog-exts?q=resource_type=replication-policy", "admin").get_json()
    assert [entry["operation"] for entry in noted] == ["delete", "update", "create"]
    assert noted[1]["changes"]["enabled"] == [True, False]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dest_registry": {"id": 0}}, "either the source or the destination"),
        ({"src_registry": {"id": 1}}, "either the source or the destination"),
        ({"dest_registry": {"id": 99}}, "registry 99 not found"),
        ({"trigger": {"type": "now"}}, "the trigger of a replication is"),
        ({"trigger": {"type": "scheduled"}}, "must have six fields"),
        (
            {"trigger": {"type": "scheduled", "trigger_settings": {"cron": "1 0 3 * * *"}}},
            "the seconds of a replication's schedule",
        ),
        (
            {"trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 * 3 * * *"}}},
            "the seconds of a replication's schedule",
        ),
        ({"trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 3 30 2 *"}}}, "invalid cron"),
        (
            {"trigger": {"type": "event_based"}, "src_registry": {"id": 1}, "dest_registry": None},
            "only what is pushed here can start a replication",
        ),
        ({"filters": [{"type": "label", "value": ["a"]}], "src_registry": {"id": 1}, "dest_registry": None}, "has no labels"),
        ({"filters": [{"type": "tag", "value": "[a"}]}, "cannot be used"),
        ({"dest_namespace": "UPPER"}, "the namespace"),
        ({"dest_namespace": "a//b"}, "the namespace"),
        ({"dest_namespace_replace_count": -2}, "dest_namespace_replace_count"),
        ({"name": ""}, "the name of a replication policy"),
        ({"name": " x"}, "the name of a replication policy"),
        ({"name": "x" * 256}, "the name of a replication policy"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(pair: Pair, changes: dict[str, Any], reason: str) -> None:
    body = {"name": "x", "dest_registry": {"id": 1}} | changes
    answer = pair.world.api("POST", "/replication/policies", "admin", json=body)
    assert (answer.status_code, reason in answer.text) == (400, True), answer.text
    assert pair.world.api("GET", "/replication/policies", "admin").get_json() == []


def test_of_one_name_there_is_one(pair: Pair) -> None:
    pair.policy(name="one")
    body = {"name": "one", "dest_registry": {"id": 1}}
    assert pair.world.api("POST", "/replication/policies", "admin", json=body).status_code == 409
    answers = pair.world.crowd(*(("POST", "/replication/policies", "admin", body | {"name": "two"}),) * 8)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


def test_the_schedule_starts_it(pair: Pair) -> None:
    v1 = pair.push(pair.here, pair.repository, "v1")
    policy = pair.policy(**SCHEDULED)
    with pair.world.changes():
        schedule = db.session.query(Schedule).filter_by(vendor_type=KIND, vendor_id=policy).one()
        start = JOBS[KIND].start
        assert start is not None
        start(schedule.vendor_id, schedule.params)
    pair.work()
    assert pair.far_tags(pair.repository) == {"v1": v1}
    answer = pair.world.api("GET", f"/replication/executions?policy_id={policy}&trigger=scheduled&status=Succeed", "admin")
    (said,) = answer.get_json()
    assert said["trigger"] == "scheduled"
    for nothing in ("trigger=manual", "status=Failed", "status=Nonsense", "policy_id=99"):
        assert pair.world.api("GET", f"/replication/executions?{nothing}", "admin").get_json() == []


def test_its_secret_goes_nowhere(pair: Pair) -> None:
    """Not into an answer, an audit entry, a payload of the queue or a log."""
    secret = {"credential_type": "basic", "access_key": "puller", "access_secret": "hidden-secret"}
    assert pair.world.api("PUT", "/registries/1", "admin", json=secret).status_code == 200
    pair.push(pair.here, pair.repository, "v1")
    said = pair.run(pair.policy())
    assert said["status"] == "Succeed"
    assert "hidden-secret" not in pair.log(said["id"])
    assert "hidden-secret" not in pair.world.api("GET", "/replication/policies", "admin").text
    with pair.world.front.flask.app_context():
        assert "hidden-secret" not in str([task.payload for task in db.session.query(Task)])
