"""Webhook policies: Harbor's rules, headers that nobody sees again, ids that open nothing in another project."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from authsvc.core.db import db
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT, Execution, TaskLog
from authsvc.notification import service
from authsvc.projects import service as projects
from authsvc.rbac.roles import Role
from tests.support.world import World

TARGET = {"type": "http", "address": "https://hooks.example.com/a", "auth_header": "Bearer canary-header"}
POLICY = {"name": "ci", "targets": [TARGET], "event_types": ["PUSH_ARTIFACT", "PULL_ARTIFACT"], "enabled": True}
PATH = "/projects/web/webhook/policies"


@pytest.fixture
def team(world: World) -> World:
    for name, role in (("owner", Role.PROJECT_ADMIN), ("keeper", Role.MAINTAINER), ("dev", Role.DEVELOPER)):
        world.user(name)
        if role is Role.PROJECT_ADMIN:
            world.project("web", 1)
            world.project("other", 1)
        world.member("web", name, role)
    return world


def create(world: World, who: str = "owner", **changes: Any) -> Any:
    return world.api("POST", PATH, who, json=POLICY | changes)


def target(**changes: Any) -> list[dict[str, Any]]:
    return [TARGET | changes]


def headers(world: World, policy_id: int = 1) -> list[str]:
    with world.changes():
        policy = service.get(projects.get_by_name("web"), policy_id)
        return [each.auth_header for each in service.targets_of(policy)]


def deliver(world: World, event_type: str = "PUSH_ARTIFACT") -> tuple[int, int]:
    """What the delivery of an event leaves behind."""
    with world.changes():
        execution = jobs.begin(service.KIND, EVENT, 1, {"event_type": event_type, "payload": {"type": event_type}})
        task = jobs.add_task(execution, service.KIND)
        db.session.add(TaskLog(task_id=task.id, text="sent\n"))
        return execution.id, task.id


def test_made_shown_changed_listed_deleted(team: World) -> None:
    made = create(team)
    assert (made.status_code, made.headers["Location"]) == (201, f"/api/v2.0{PATH}/1"), made.text
    shown = team.api("GET", f"{PATH}/1", "keeper").get_json()
    assert shown["targets"] == [TARGET | {"auth_header": "*****", "payload_format": "Default"}]
    assert (shown["creator"], shown["enabled"], shown["event_types"]) == ("owner", True, POLICY["event_types"])
    assert create(team).status_code == 409
    assert team.api("PUT", f"{PATH}/1", "owner", json=POLICY | {"name": "cd", "enabled": False}).status_code == 200
    listed = team.api("GET", f"{PATH}?q=name=~C", "keeper")
    assert [(policy["name"], policy["enabled"]) for policy in listed.get_json()] == [("cd", False)]
    assert listed.headers["X-Total-Count"] == "1"
    told = team.api("GET", "/auditlog-exts?q=resource_type=webhook-policy,operation=update", "admin").get_json()
    assert told[0]["changes"] == {"name": ["ci", "cd"], "enabled": [True, False]}
    assert team.api("DELETE", f"{PATH}/1", "owner").status_code == 200
    assert team.api("GET", f"{PATH}/1", "owner").status_code == 404


def test_the_same_name_may_be_in_another_project(team: World) -> None:
    create(team)
    assert team.api("POST", "/projects/other/webhook/policies", "admin", json=POLICY).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 256},
        {"targets": []},
        {"targets": [TARGET] * 11},
        {"event_types": []},
        {"event_types": ["PUSH_CHART"]},
        {"targets": target(type="carrier pigeon")},
        {"targets": target(payload_format="XML")},
        {"targets": target(type="slack", payload_format="Default")},
        {"targets": target(auth_header="a\r\nX-Evil: 1")},
        *({"targets": target(address=address)} for address in (
            "", "hooks.example.com", "ftp://a", "https://u:p@a.example.com", "http://127.0.0.1/", "http://localhost:5102/",
            "http://0x7f.1/", "http://[::1]/", "http://169.254.169.254/", "http://2130706433/", "http://a b/",
        )),
    ],
)  # fmt: skip
def test_what_cannot_be_stored(team: World, changes: dict[str, Any]) -> None:
    assert create(team, **changes).status_code == 400
    create(team)
    assert team.api("PUT", f"{PATH}/1", "owner", json=POLICY | changes).status_code == 400


def test_slack_and_cloud_events(team: World) -> None:
    slack = {"type": "slack", "address": "https://hooks.slack.com/services/x"}
    assert create(team, targets=[slack]).status_code == 201
    assert create(team, name="ce", targets=target(payload_format="CloudEvents")).status_code == 201
    assert headers(team) == [""]
    assert "auth_header" not in team.api("GET", f"{PATH}/1", "owner").get_json()["targets"][0]


def test_it_stays_in_its_project(team: World) -> None:
    create(team)
    body = POLICY | {"project_id": 2}
    assert team.api("PUT", f"{PATH}/1", "owner", json=body).status_code == 400
    assert team.api("PUT", f"{PATH}/1", "owner", json=POLICY | {"project_id": 1, "id": 7, "creator": "evil"}).status_code == 200
    assert team.api("GET", f"{PATH}/1", "owner").get_json()["creator"] == "owner"


def test_a_masked_header_stays_for_its_own_address_only(team: World) -> None:
    create(team)
    masked = {"auth_header": "*****"}
    assert team.api("PUT", f"{PATH}/1", "owner", json=POLICY | {"targets": target(**masked)}).status_code == 200
    assert headers(team) == ["Bearer canary-header"]
    elsewhere = target(**masked, address="https://evil.example.com")
    assert team.api("PUT", f"{PATH}/1", "owner", json=POLICY | {"targets": elsewhere}).status_code == 200
    assert headers(team) == [""]
    create(team, name="second")
    assert (
        team.api("PUT", f"{PATH}/2", "owner", json=POLICY | {"name": "second", "targets": target(auth_header="")}).status_code
        == 200
    )
    assert headers(team, 2) == [""]


def test_a_header_is_never_told(team: World) -> None:
    create(team)
    told = team.api("GET", "/auditlog-exts?page_size=0", "admin").text + team.api("GET", PATH, "owner").text
    assert "canary-header" not in told
    with team.changes():
        assert "canary-header" not in service.get(projects.get_by_name("web"), 1).sealed_headers


def test_what_is_supported(team: World) -> None:
    supported = team.api("GET", "/projects/web/webhook/events", "keeper").get_json()
    assert len(supported["event_type"]) == 10
    assert supported["notify_type"][:2] == ["http", "slack"], "Harbor's own come first"
    assert supported["payload_formats"][0] == {"notify_type": "http", "formats": ["Default", "CloudEvents"]}


def test_deliveries_are_listed_as_they_are(team: World) -> None:
    create(team)
    assert team.api("GET", f"{PATH}/1/executions", "owner").get_json() == []
    never = team.api("GET", "/projects/web/webhook/lasttrigger", "owner").get_json()
    assert [entry["last_trigger_time"] for entry in never] == ["0001-01-01T00:00:00.000Z"] * 2
    execution, task = deliver(team)
    (listed,) = team.api("GET", f"{PATH}/1/executions", "owner").get_json()
    assert (listed["id"], listed["status"], listed["trigger"], listed["metrics"]["task_count"]) == (
        execution,
        "Pending",
        "EVENT",
        1,
    )
    (only,) = team.api("GET", f"{PATH}/1/executions/{execution}/tasks", "owner").get_json()
    assert (only["id"], only["execution_id"]) == (task, execution)
    assert team.api("GET", f"{PATH}/1/executions/{execution}/tasks/{task}/log", "owner").text == "sent\n"
    pushed, pulled = team.api("GET", "/projects/web/webhook/lasttrigger", "owner").get_json()
    assert pushed["last_trigger_time"] > "2020"
    assert pulled["last_trigger_time"].startswith("0001")
    (job,) = team.api("GET", "/projects/web/webhook/jobs?policy_id=1", "owner").get_json()
    assert (job["policy_id"], job["event_type"], job["notify_type"], job["status"]) == (1, "PUSH_ARTIFACT", "http", "Pending")
    assert team.api("GET", "/projects/web/webhook/jobs?policy_id=1&status=Success", "owner").get_json() == []
    assert team.api("GET", "/projects/web/webhook/jobs", "owner").status_code == 422


def test_an_id_alone_opens_nothing(team: World) -> None:
    create(team)
    other = "/projects/other/webhook/policies"
    assert team.api("POST", other, "admin", json=POLICY).status_code == 201
    execution, task = deliver(team)
    for method, path, body in (
        ("GET", f"{other}/1", None),
        ("PUT", f"{other}/1", POLICY),
        ("DELETE", f"{other}/1", None),
        ("GET", f"{other}/1/executions", None),
        ("GET", f"{other}/2/executions/{execution}/tasks", None),
        ("GET", f"{PATH}/1/executions/{execution}/tasks/{task + 1}/log", None),
        ("GET", f"{other}/2/executions/{execution}/tasks/{task}/log", None),
        ("GET", "/projects/other/webhook/jobs?policy_id=1", None),
    ):
        assert team.api(method, path, "admin", json=body).status_code == 404, path


def test_deliveries_go_with_their_policy_and_project(team: World) -> None:
    def count() -> int:
        with team.changes():
            return db.session.scalar(select(func.count()).select_from(Execution)) or 0

    create(team)
    deliver(team)
    team.api("DELETE", f"{PATH}/1", "owner")
    assert count() == 0
    create(team)
    with team.changes():
        jobs.begin(service.KIND, EVENT, 2)
    assert team.api("DELETE", "/projects/web", "admin").status_code == 200
    assert count() == 0
