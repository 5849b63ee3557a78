"""Who may do what through the API: every operation of a project by every role, in the own and in another project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from authsvc.core.db import utcnow
from authsvc.rbac.permissions import Action as A
from authsvc.rbac.permissions import Permission
from authsvc.rbac.permissions import Resource as R
from authsvc.rbac.roles import PUBLIC_PERMISSIONS, ROLE_PERMISSIONS, Role
from authsvc.repositories import service as repositories
from tests.support.world import World


@dataclass(frozen=True)
class Operation:
    """An operation of the API, the permission it needs, and what it answers to somebody who has it."""

    method: str
    path: str
    needs: Permission
    status: int
    json: dict[str, Any] | None = None


MEMBER = {"role_id": 3, "member_user": {"username": "newcomer"}}
ROBOT_V1 = {"name": "ci", "access": [{"resource": "repository", "action": "pull"}]}
OPERATIONS = [
    Operation("GET", "/projects/{p}", Permission(R.PROJECT, A.READ), 200),
    Operation("PUT", "/projects/{p}", Permission(R.PROJECT, A.UPDATE), 200, {"metadata": {"auto_scan": "true"}}),
    Operation("DELETE", "/projects/{p}", Permission(R.PROJECT, A.DELETE), 412),  # it holds a repository
    Operation("GET", "/projects/{p}/members", Permission(R.MEMBER, A.LIST), 200),
    Operation("POST", "/projects/{p}/members", Permission(R.MEMBER, A.CREATE), 201, MEMBER),
    Operation("GET", "/projects/{p}/members/{m}", Permission(R.MEMBER, A.READ), 200),
    Operation("PUT", "/projects/{p}/members/{m}", Permission(R.MEMBER, A.UPDATE), 200, {"role_id": 5}),
    Operation("DELETE", "/projects/{p}/members/{m}", Permission(R.MEMBER, A.DELETE), 200),
    Operation("GET", "/projects/{p}/repositories", Permission(R.REPOSITORY, A.LIST), 200),
    Operation("GET", "/projects/{p}/repositories/app", Permission(R.REPOSITORY, A.READ), 200),
    Operation("PUT", "/projects/{p}/repositories/app", Permission(R.REPOSITORY, A.UPDATE), 200, {"description": "x"}),
    Operation("DELETE", "/projects/{p}/repositories/app", Permission(R.REPOSITORY, A.DELETE), 200),
    Operation("GET", "/projects/{p}/repositories/app/artifacts", Permission(R.ARTIFACT, A.LIST), 200),
    Operation("GET", "/projects/{p}/repositories/app/artifacts/v1", Permission(R.ARTIFACT, A.READ), 404),
    Operation("DELETE", "/projects/{p}/repositories/app/artifacts/v1", Permission(R.ARTIFACT, A.DELETE), 404),
    Operation("GET", "/projects/{p}/repositories/app/artifacts/v1/tags", Permission(R.TAG, A.LIST), 404),
    Operation("GET", "/projects/{p}/robots", Permission(R.ROBOT, A.LIST), 200),
    Operation("POST", "/projects/{p}/robots", Permission(R.ROBOT, A.CREATE), 201, ROBOT_V1),
    Operation("GET", "/projects/{p}/robots/99", Permission(R.ROBOT, A.READ), 404),
    Operation("PUT", "/projects/{p}/robots/99", Permission(R.ROBOT, A.UPDATE), 404, {"disable": True}),
    Operation("DELETE", "/projects/{p}/robots/99", Permission(R.ROBOT, A.DELETE), 404),
    Operation("GET", "/projects/{p}/logs", Permission(R.LOG, A.LIST), 200),
    Operation("GET", "/projects/{p}/auditlog-exts", Permission(R.LOG, A.LIST), 200),
]
TRUST = {
    "name": "x",
    "issuer": "https://x.example.com",
    "audience": "a",
    "claims": {"a": "b"},
    "project": "web",
    "actions": ["pull"],
}
ROBOT = {
    "name": "ci",
    "level": "system",
    "duration": -1,
    "permissions": [{"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]}],
}
# Which operations need no permission in a project, and why each is safe is said where it is tested.
ELSEWHERE = {
    "/ping", "/health", "/systeminfo", "/systeminfo/getcert", "/openapi.json", "/projects", "/repositories", "/audit-logs",
    "/auditlog-exts", "/users", "/users/current", "/users/search", "/users/{id}", "/users/{id}/sysadmin", "/users/{id}/disabled",
    "/users/{id}/password", "/users/{id}/refresh-tokens", "/users/{id}/refresh-tokens/{id}", "/system/quarantine",
    "/users/{id}/sessions", "/users/{id}/sessions/{id}", "/users/{id}/access-tokens", "/users/{id}/access-tokens/{id}",
    "/robots", "/robots/{id}", "/robots/{id}/secrets", "/robots/{id}/secrets/{id}", "/configurations", "/usergroups",
    "/usergroups/search", "/usergroups/{id}", "/system/login-failures",
    "/ldap/ping", "/ldap/users/search", "/ldap/users/import", "/ldap/groups/search", "/ldap/trace", "/ldap/directories",
    "/ldap/directories/{id}", "/system/oidc/ping", "/system/oidc/providers", "/system/oidc/providers/{id}",
    "/users/{id}/cli_secret", "/system/trust-rules", "/system/trust-rules/{id}",
    "/system/quarantine/{id}", "/system/quarantine/{id}/retry",
}  # fmt: skip
HOLDERS: list[Role | None] = [*Role, None]


def test_no_operation_is_missing_here(world: World) -> None:
    import re

    covered = {
        operation.path.replace("{p}", "{id}")
        .replace("{m}", "{id}")
        .replace("/app", "/{id}")
        .replace("/artifacts/v1", "/artifacts/{id}")
        .replace("/99", "/{id}")
        for operation in OPERATIONS
    }
    served = {
        re.sub(r"<[^>]+>", "{id}", rule.rule).removeprefix("/api/v2.0")
        for rule in world.front.flask.url_map.iter_rules()
        if rule.rule.startswith("/api/v2.0/") and not rule.rule.startswith("/api/v2.0/swagger")
    }
    assert served - covered - ELSEWHERE == set()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_each_role_may_do_exactly_what_the_table_says(world: World, operation: Operation) -> None:
    world.user("newcomer")
    world.project("other", 1)
    for number, role in enumerate(HOLDERS):
        name = f"p{number}"
        world.user(f"user{number}")
        project_id = world.project(name, 1)
        if role is not None:
            world.member(name, f"user{number}", role)
        with world.changes():
            repositories.ensure(f"{name}/app", utcnow())
        listed = world.api("GET", f"/projects/{name}/members", "admin").get_json()
        path = operation.path.format(p=name, m=listed[0]["id"])
        allowed = role is not None and operation.needs in ROLE_PERMISSIONS[role]
        response = world.api(operation.method, path, f"user{number}", json=operation.json)
        assert response.status_code == (operation.status if allowed else 403), (role, response.text)
        assert world.api(operation.method, operation.path.format(p=name, m=1), None, json=operation.json).status_code == 401
        elsewhere = operation.path.format(p="other", m=listed[0]["id"])
        assert world.api(operation.method, elsewhere, f"user{number}", json=operation.json).status_code == 403
        by_id = world.api("GET", f"/projects/{project_id}", f"user{number}").status_code
        assert by_id == (200 if role is not None else 403)


def test_the_public_may_do_what_the_table_says(world: World) -> None:
    world.project("library", 1, public=True)
    with world.changes():
        repositories.ensure("library/app", utcnow())
    for operation in OPERATIONS:
        expected = operation.status if operation.needs in PUBLIC_PERMISSIONS else 401
        response = world.api(operation.method, operation.path.format(p="library", m=1), None, json=operation.json)
        assert response.status_code == expected, (operation, response.text)


def test_a_members_id_works_in_its_own_project_only(world: World) -> None:
    world.user("alice")
    world.project("mine", 2)
    world.project("other", 1)
    foreign = world.api("GET", "/projects/other/members", "admin").get_json()[0]["id"]
    for method, body in (("GET", None), ("PUT", {"role_id": 5}), ("DELETE", None)):
        assert world.api(method, f"/projects/mine/members/{foreign}", "alice", json=body).status_code == 404
    assert len(world.api("GET", "/projects/other/members", "admin").get_json()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users", None),
        ("POST", "/users", {"username": "x", "password": "long enough", "email": "x@example.com"}),
        ("GET", "/users/1", None),
        ("PUT", "/users/1", {"realname": "x"}),
        ("DELETE", "/users/1", None),
        ("PUT", "/users/1/sysadmin", {"sysadmin_flag": False}),
        ("PUT", "/users/2/sysadmin", {"sysadmin_flag": True}),
        ("PUT", "/users/1/disabled", {"disabled": True}),
        ("PUT", "/users/1/password", {"new_password": "long enough"}),
        ("GET", "/users/1/refresh-tokens", None),
        ("DELETE", "/users/1/refresh-tokens/1", None),
        ("GET", "/users/1/sessions", None),
        ("DELETE", "/users/1/sessions/1", None),
        ("GET", "/users/1/access-tokens", None),
        ("POST", "/users/1/access-tokens", {"name": "x"}),
        ("DELETE", "/users/1/access-tokens/1", None),
        ("GET", "/robots", None),
        ("POST", "/robots", ROBOT),
        ("GET", "/robots/1", None),
        ("PUT", "/robots/1", ROBOT),
        ("PATCH", "/robots/1", {"secret": ""}),
        ("DELETE", "/robots/1", None),
        ("GET", "/robots/1/secrets", None),
        ("POST", "/robots/1/secrets", None),
        ("DELETE", "/robots/1/secrets/1", None),
        ("GET", "/configurations", None),
        ("PUT", "/configurations", {"read_only": True}),
        ("GET", "/usergroups", None),
        ("POST", "/usergroups", {"group_type": 3, "group_name": "x"}),
        ("GET", "/usergroups/1", None),
        ("PUT", "/usergroups/1", {"group_name": "x"}),
        ("DELETE", "/usergroups/1", None),
        ("GET", "/system/login-failures", None),
        ("DELETE", "/system/login-failures?name=alice", None),
        ("POST", "/ldap/ping", {}),
        ("GET", "/ldap/users/search?username=a", None),
        ("POST", "/ldap/users/import", {"ldap_uid_list": ["a"]}),
        ("GET", "/ldap/groups/search?groupname=a", None),
        ("POST", "/ldap/trace", {}),
        ("GET", "/ldap/directories", None),
        ("PUT", "/ldap/directories/x", {"settings": {}}),
        ("DELETE", "/ldap/directories/x", None),
        ("POST", "/system/oidc/ping", {"url": "https://x.example.com"}),
        ("GET", "/system/oidc/providers", None),
        ("PUT", "/system/oidc/providers/x", {"settings": {}}),
        ("DELETE", "/system/oidc/providers/x", None),
        ("PUT", "/users/1/cli_secret", {"secret": "x"}),
        ("POST", "/users/1/cli_secret", None),
        ("GET", "/system/trust-rules", None),
        ("POST", "/system/trust-rules", TRUST),
        ("DELETE", "/system/trust-rules/1", None),
        ("GET", "/system/quarantine", None),
        ("POST", "/system/quarantine/1/retry", None),
        ("DELETE", "/system/quarantine/1", None),
    ],
)
def test_what_is_for_administrators_and_oneself(world: World, method: str, path: str, body: dict[str, Any] | None) -> None:
    world.user("alice")
    assert world.api(method, path, "alice", json=body).status_code == 403
    assert world.api(method, path, None, json=body).status_code == 401
    assert world.api("GET", "/users/1", "admin").get_json()["sysadmin_flag"] is True


def test_one_may_look_after_oneself(world: World) -> None:
    world.user("alice")
    assert world.api("GET", "/users/current", "alice").get_json()["username"] == "alice"
    assert world.api("PUT", "/users/2", "alice", json={"realname": "Alice"}).status_code == 200
    wrong = {"old_password": "not it", "new_password": "long enough"}
    assert world.api("PUT", "/users/2/password", "alice", json=wrong).status_code == 403
    assert world.api("PUT", "/users/2/password", "alice", json={"new_password": "long enough"}).status_code == 403


def test_lists_show_what_may_be_known(world: World) -> None:
    world.user("alice")
    for name in ("mine", "secret", "library"):
        world.project(name, 1, public=name == "library")
        with world.changes():
            repositories.ensure(f"{name}/app", utcnow())
    world.member("mine", "alice", Role.LIMITED_GUEST)
    seen = {None: ["library"], "alice": ["library", "mine"], "admin": ["library", "mine", "secret"]}
    for who, names in seen.items():
        assert [p["name"] for p in world.api("GET", "/projects?sort=name", who).get_json()] == names
        assert [r["name"] for r in world.api("GET", "/repositories?sort=name", who).get_json()] == [f"{n}/app" for n in names]


def test_the_last_administrator_stays(world: World) -> None:
    for method, path, body in (
        ("PUT", "/users/1/sysadmin", {"sysadmin_flag": False}),
        ("PUT", "/users/1/disabled", {"disabled": True}),
        ("DELETE", "/users/1", None),
    ):
        assert world.api(method, path, "admin", json=body).status_code == 412
    world.user("second", sysadmin=True)
    assert world.api("PUT", "/users/1/sysadmin", "admin", json={"sysadmin_flag": False}).status_code == 200
