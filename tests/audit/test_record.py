"""What the audit log tells: who, from where, what it was before and after; and never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import Client

from authsvc.audit import service as audit
from authsvc.core.db import Base, db
from authsvc.rbac.roles import Role
from tests.support.world import PASSWORD, World, basic

OWN = {"Origin": "https://localhost:8443"}


def entries(world: World, **exact: Any) -> list[dict[str, Any]]:
    q = ",".join(f"{key}={value}" for key, value in exact.items())
    found: list[dict[str, Any]] = world.api("GET", f"/auditlog-exts?page_size=0&sort=id&q={q}", "admin").get_json()
    return found


def last(world: World, operation: str, resource_type: str) -> dict[str, Any]:
    return entries(world, operation=operation, resource_type=resource_type)[-1]


def test_an_entry_says_who_and_from_where(world: World) -> None:
    headers = {"X-Request-Id": "req-1", "User-Agent": "tests/1.0", "X-Real-Ip": "192.0.2.7"}
    world.api("POST", "/projects", "admin", json={"project_name": "web"}, headers=headers)
    entry = last(world, "create", "project")
    assert (entry["username"], entry["resource"], entry["operation_result"]) == ("admin", "web", True)
    assert (entry["address"], entry["user_agent"], entry["request_id"]) == ("192.0.2.7", "tests/1.0", "req-1")
    legacy = world.api("GET", "/audit-logs?q=resource=web", "admin").get_json()
    assert set(legacy[0]) == {"id", "username", "resource", "resource_type", "operation", "op_time"}


def test_before_and_after_of_each_kind_of_change(world: World) -> None:
    alice = world.user("alice")
    world.project("web", 1)
    member = world.member("web", "alice", Role.GUEST)

    def changed(method: str, path: str, body: Any, resource_type: str) -> dict[str, Any]:
        response = world.api(method, path, "admin", json=body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = last(world, "update", resource_type).get("changes", {})
        return found

    public = changed("PUT", "/projects/web", {"metadata": {"public": "true", "auto_scan": "true"}}, "project")
    assert public == {"public": [False, True], "auto_scan": [None, "true"]}
    assert changed("PUT", "/projects/web", {"metadata": {"auto_scan": "false"}}, "project") == {"auto_scan": ["true", "false"]}
    assert changed("PUT", f"/projects/web/members/{member}", {"role_id": 2}, "member") == {"role": [3, 2]}
    assert changed("PUT", f"/users/{alice}", {"realname": "Alice"}, "user") == {"realname": ["", "Alice"]}
    assert changed("PUT", f"/users/{alice}/sysadmin", {"sysadmin_flag": True}, "user") == {"sysadmin": [False, True]}
    assert changed("PUT", f"/users/{alice}/disabled", {"disabled": True}, "user") == {"disabled": [False, True]}
    assert changed("PUT", f"/users/{alice}/password", {"new_password": "another long one"}, "user") == {}
    assert changed("PUT", "/configurations", {"read_only": True, "robot_token_duration": 7}, "configuration") == {
        "read_only": [False, True],
        "robot_token_duration": [30, 7],
    }


def test_a_robots_permissions_before_and_after(world: World) -> None:
    def robot(*actions: str) -> dict[str, Any]:
        access = [{"resource": "repository", "action": action} for action in actions]
        permissions = [{"kind": "project", "namespace": "*", "access": access}]
        return {"name": "ci", "level": "system", "duration": -1, "permissions": permissions}

    made = world.api("POST", "/robots", "admin", json=robot("pull")).get_json()
    body = robot("pull", "push") | {"name": "robot$ci"}
    assert world.api("PUT", f"/robots/{made['id']}", "admin", json=body).status_code == 200
    before, after = last(world, "update", "robot")["changes"]["permissions"]
    assert (before, after) == (["-1:repository:pull"], ["-1:repository:pull", "-1:repository:push"])


def test_what_one_request_changed_is_not_told_of_another(world: World) -> None:
    world.project("web", 1)
    world.api("PUT", "/projects/web", "admin", json={"metadata": {"public": "true"}})
    world.api("POST", "/projects", "admin", json={"project_name": "api"})
    assert last(world, "create", "project")["changes"] == {
        "public": [None, False],
        "storage_limit": [None, -1],
        "role": [None, 1],
    }
    with world.changes():
        audit.record("x", "update", "nothing", "x")
    assert "changes" not in last(world, "update", "nothing")


def test_logins_and_logouts(world: World) -> None:
    browser = Client(world.nginx)
    browser.post("/c/login", data={"principal": "admin", "password": PASSWORD}, headers=OWN)
    browser.post("/c/log_out", headers=OWN, base_url="https://localhost")
    browser.post("/c/log_out", headers=OWN, base_url="https://localhost")
    browser.post("/c/login", data={"principal": "admin", "password": "wrong"}, headers=OWN)
    world.token(who="admin", offline_token="true")
    told = [(entry["operation"], entry["operation_result"]) for entry in entries(world, resource_type="user", resource="admin")]
    assert told == [("create", True), ("login", True), ("logout", True), ("login", False), ("login", True)]


def test_a_change_that_was_refused_is_told(world: World) -> None:
    world.user("alice")
    world.project("web", 1)
    world.api("DELETE", "/projects/web", "alice")
    world.api("POST", "/projects/web/members", "alice", json={"role_id": 1, "member_user": {"username": "alice"}})
    world.api("GET", "/projects/web/members", "alice")  # a look is no change
    world.api("DELETE", "/projects/web")  # and nobody is nobody
    refused = [entry for entry in entries(world, username="alice") if not entry["operation_result"]]
    assert [(entry["operation"], entry["resource_type"], entry["resource"]) for entry in refused] == [
        ("delete", "project", "/projects/web"),
        ("create", "member", "/projects/web/members"),
    ]
    assert "permission project:delete" in refused[0]["operation_description"]


def test_kinds_can_be_switched_off_but_not_in_silence(world: World) -> None:
    off = {"disabled_audit_log_event_types": "create_project, update_configuration"}
    assert world.api("PUT", "/configurations", "admin", json=off).status_code == 200
    world.project("web", 1)
    world.api("PUT", "/configurations", "admin", json={"read_only": True})
    assert entries(world, operation="create", resource_type="project") == []
    (only,) = entries(world, operation="update", resource_type="configuration")
    assert only["changes"] == {"disabled_audit_log_event_types": ["", off["disabled_audit_log_event_types"]]}


def test_pulls_can_be_left_out(world: World) -> None:
    def pull() -> None:
        with world.changes():
            audit.record("", "pull", "artifact", "web/a:v1")

    pull()
    world.api("PUT", "/configurations", "admin", json={"pull_audit_log_disable": True})
    pull()
    (entry,) = entries(world, operation="pull")
    assert entry["username"] == "anonymous"


def test_a_robot_that_may_read_the_log_reads_all_of_it(world: World) -> None:
    def robot(resource: str, action: str) -> dict[str, str]:
        permissions = [{"kind": "system", "namespace": "/", "access": [{"resource": resource, "action": action}]}]
        body = {"name": resource, "level": "system", "duration": -1, "permissions": permissions}
        made = world.api("POST", "/robots", "admin", json=body).get_json()
        return basic(made["name"], made["secret"])

    for header, seen in ((robot("audit-log", "list"), True), (robot("quota", "list"), False)):
        assert bool(world.api("GET", "/auditlog-exts", headers=header).get_json()) is seen


def test_event_types_are_harbors(world: World) -> None:
    world.user("alice")
    listed = [entry["event_type"] for entry in world.api("GET", "/auditlog-exts/events", "alice").get_json()]
    assert len(listed) == 18
    assert {"create_artifact", "login_user", "logout_user", "update_configuration", "delete_member"} <= set(listed)
    assert world.api("GET", "/auditlog-exts/events").status_code == 401


CANARIES = {
    "ldap_search_password": "Canary-ldap-1",
    "oidc_client_secret": "Canary-oidc-2",
    "password": "Canary-user-3",
    "robot": "Canary-Robot-4",
}


def _everything(world: World) -> Iterator[str]:
    with world.changes():
        for table in Base.metadata.sorted_tables:
            for row in db.session.execute(select(table)):
                yield f"{table.name}: {json.dumps([str(value) for value in row])}"


def test_no_secret_is_in_it_nor_in_clear_anywhere_in_the_database(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    directory = {"ldap_url": "ldap://ldap.example.com", "ldap_base_dn": "dc=x", "ldap_search_dn": "cn=x"}
    items = directory | {name: CANARIES[name] for name in ("ldap_search_password", "oidc_client_secret")}
    items |= {"oidc_endpoint": "https://idp.example.com", "oidc_client_id": "a", "auth_mode": "ldap_auth"}
    assert world.api("PUT", "/configurations", "admin", json=items).status_code == 200
    user = {"username": "bob", "password": CANARIES["password"], "email": "bob@example.com"}
    assert world.api("POST", "/users", "admin", json=user).status_code == 201
    assert world.api(
        "PUT", "/users/1/password", "admin", json={"new_password": "x", "old_password": CANARIES["password"]}
    ).status_code
    robot = {"name": "ci", "level": "system", "duration": -1, "secret": CANARIES["robot"], "permissions": [
        {"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]}]}  # fmt: skip
    made = world.api("POST", "/robots", "admin", json=robot).get_json()
    assert world.api("PATCH", f"/robots/{made['id']}", "admin", json={"secret": CANARIES["robot"]}).status_code == 200
    malformed = world.api("PUT", "/configurations", "admin", data=CANARIES["password"] + "{", content_type="application/json")
    assert malformed.status_code == 422
    told = "\n".join([*_everything(world), malformed.text, json.dumps(entries(world)), *capfd.readouterr()])
    assert "ldap.example.com" in told, "the search finds what is there"
    for name, canary in CANARIES.items():
        assert canary not in told, name
