"""Robots: Harbor's names, permissions and errors, two live secrets, and no way to more rights."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core.db import db, utcnow
from authsvc.rbac.robots import PROJECT_CATALOGUE, SYSTEM_CATALOGUE
from authsvc.rbac.roles import Role
from authsvc.robots.models import Robot
from tests.support.world import World, basic, granted_by

SCOPE = "repository:web/a:pull,push,delete"


def access(*permissions: str) -> list[dict[str, str]]:
    pairs = (text.split(":") for text in permissions)
    return [{"resource": resource, "action": action} for resource, action in pairs]


def body(name: str = "ci", project: str = "web", *permissions: str, **changes: Any) -> dict[str, Any]:
    wanted = access(*(permissions or ("repository:push",)))
    entry = {"kind": "project", "namespace": project, "access": wanted}
    return {"name": name, "level": "project", "duration": -1, "permissions": [entry]} | changes


def created(world: World, wanted: dict[str, Any], who: str = "admin") -> dict[str, Any]:
    response = world.api("POST", "/robots", who, json=wanted)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.get_json()
    assert response.headers["Location"] == f"/api/v2.0/robots/{answer['id']}"
    return answer


def granted(world: World, name: str, secret: str, scope: str = SCOPE) -> dict[str, list[str]] | int:
    response = world.client.get(f"/service/token?scope={scope}&service=harbor-registry", headers=basic(name, secret))
    return granted_by(response.get_json()["token"]) if response.status_code == 200 else response.status_code


@pytest.fixture
def web(world: World) -> World:
    world.project("web", 1)
    world.project("other", 1)
    return world


def test_harbors_name_and_the_shell_safe_one_log_in(web: World) -> None:
    robot = created(web, body())
    assert robot["name"] == "robot$web+ci"
    for name in ("robot$web+ci", "robot-web+ci"):
        assert granted(web, name, robot["secret"]) == {"web/a": ["pull", "push"]}
    assert granted(web, "robot$web+ci", robot["secret"], "repository:other/a:pull") == {"other/a": []}
    for name in ("robot$ci", "robot$other+ci", "admin", "ci"):
        assert granted(web, name, robot["secret"]) == 401


def test_a_system_robot_everywhere_and_outside_of_projects(web: World) -> None:
    wanted = body("all", "*", "repository:pull", level="system")
    wanted["permissions"].append({"kind": "system", "namespace": "/", "access": access("project:create", "user-group:list")})
    robot = created(web, wanted)
    assert robot["name"] == "robot$all"
    assert granted(web, "robot$all", robot["secret"]) == {"web/a": ["pull"]}
    headers = basic("robot$all", robot["secret"])
    assert web.api("POST", "/projects", headers=headers, json={"project_name": "made"}).status_code == 201
    assert web.api("GET", "/usergroups", headers=headers).status_code == 200
    assert web.api("GET", "/users", headers=headers).status_code == 403
    assert web.api("GET", "/users/current", headers=headers).status_code == 412
    assert web.api("POST", "/users/1/access-tokens", headers=headers, json={"name": "x"}).status_code == 403


def test_what_harbors_clients_read(web: World) -> None:
    robot = created(web, body(duration=None, description="builds"))
    read = web.api("GET", f"/robots/{robot['id']}", "admin").get_json()
    assert read["permissions"] == [
        {
            "kind": "project",
            "namespace": "web",
            "access": [entry | {"effect": "allow"} for entry in access("repository:pull", "repository:push")],
        }
    ]
    assert (read["level"], read["duration"], read["editable"], read["disable"]) == ("project", 30, True, False)
    assert read["creator_type"] == "local"
    assert 29 * 86400 < read["expires_at"] - utcnow().timestamp() <= 30 * 86400
    assert "secret" not in read
    listed = web.api("GET", "/robots?q=Level%3Dproject%2CProjectID%3D1", "admin").get_json()
    assert [entry["name"] for entry in listed] == ["robot$web+ci"]
    assert web.api("GET", "/robots", "admin").get_json() == []
    assert web.api("GET", "/robots?q=Level%3Dproject", "admin").status_code == 400


@pytest.mark.parametrize(
    "wanted",
    [
        body("Upper"),
        body(duration=0),
        body(duration=-2),
        body(permissions=[]),
        body("ci", "web", "robot:update"),
        body("ci", "web", "user:list"),
        body("ci", "*"),
        body("ci", "web", level="system", permissions=[{"kind": "system", "namespace": "web", "access": access("user:list")}]),
        body("ci", "web", secret="weak"),
    ],
)
def test_what_no_robot_can_be(web: World, wanted: dict[str, Any]) -> None:
    response = web.api("POST", "/robots", "admin", json=wanted)
    assert response.status_code == 400, response.text
    with web.changes():
        assert db.session.query(Robot).count() == 0


def test_names_are_taken_once_in_a_project(web: World) -> None:
    created(web, body())
    assert web.api("POST", "/robots", "admin", json=body()).status_code == 409
    created(web, body("ci", "other"))


def test_a_project_administrator_makes_robots_for_that_project_only(web: World) -> None:
    web.user("alice")
    web.member("web", "alice", Role.PROJECT_ADMIN)
    created(web, body(), who="alice")
    foreign = created(web, body("ci", "other"))
    assert web.api("POST", "/robots", "alice", json=body("two", "other")).status_code == 403
    for level_system in (body("two", "web", level="system"), body("two", "other", level="system")):
        assert web.api("POST", "/robots", "alice", json=level_system).status_code == 403
    mixed = body("two", "web")
    mixed["permissions"] += body("two", "other")["permissions"]
    assert web.api("POST", "/robots", "alice", json=mixed).status_code in (400, 403)
    for method, change in (("GET", None), ("PUT", body()), ("PATCH", {"secret": ""}), ("DELETE", None)):
        assert web.api(method, f"/robots/{foreign['id']}", "alice", json=change).status_code == 403
        assert web.api(method, f"/projects/web/robots/{foreign['id']}", "alice", json=change).status_code in (404, 405)


def test_a_robot_gives_no_more_than_it_has(web: World) -> None:
    maker = created(web, body("maker", "web", "robot:create", "repository:pull"))
    headers = basic("robot$web+maker", maker["secret"])
    assert web.api("POST", "/robots", headers=headers, json=body("a", "web", "repository:pull")).status_code == 201
    refused = web.api("POST", "/robots", headers=headers, json=body("b", "web", "repository:delete"))
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (403, "DENIED")


def test_disabled_expired_and_deleted_robots_are_out_at_once(web: World) -> None:
    robot = created(web, body())
    full = web.api("GET", f"/robots/{robot['id']}", "admin").get_json()
    assert web.api("PUT", f"/robots/{robot['id']}", "admin", json=full | {"disable": True}).status_code == 200
    assert granted(web, robot["name"], robot["secret"]) == 403
    assert web.api("PUT", f"/robots/{robot['id']}", "admin", json=full).status_code == 200
    assert granted(web, robot["name"], robot["secret"]) == {"web/a": ["pull", "push"]}
    with web.changes():
        row = db.session.get(Robot, robot["id"])
        assert row is not None
        row.expires_at = utcnow()
    assert granted(web, robot["name"], robot["secret"]) == 403
    assert web.api("DELETE", f"/robots/{robot['id']}", "admin").status_code == 200
    assert granted(web, robot["name"], robot["secret"]) == 401


def test_name_level_and_id_stay(web: World) -> None:
    robot = created(web, body())
    full = web.api("GET", f"/robots/{robot['id']}", "admin").get_json()
    for change in ({"name": "robot$web+new"}, {"level": "system"}, {"id": robot["id"] + 1}):
        assert web.api("PUT", f"/robots/{robot['id']}", "admin", json=full | change).status_code == 400
    fewer = full | {"permissions": body("ci", "web", "repository:pull")["permissions"]}
    assert web.api("PUT", f"/robots/{robot['id']}", "admin", json=fewer).status_code == 200
    assert granted(web, robot["name"], robot["secret"]) == {"web/a": ["pull"]}


def test_a_new_secret_ends_the_old_one(web: World) -> None:
    robot = created(web, body())
    new = web.api("PATCH", f"/robots/{robot['id']}", "admin", json={"secret": ""}).get_json()["secret"]
    assert granted(web, robot["name"], robot["secret"]) == 401
    assert granted(web, robot["name"], new) == {"web/a": ["pull", "push"]}
    chosen = "Chosen-by-people-1"
    assert web.api("PATCH", f"/robots/{robot['id']}", "admin", json={"secret": chosen}).get_json() == {"secret": ""}
    assert granted(web, robot["name"], new) == 401
    assert granted(web, robot["name"], chosen) == {"web/a": ["pull", "push"]}
    assert granted(web, "robot-web+ci", chosen + "x") == 401


def test_two_live_secrets_to_change_over_without_a_pause(web: World) -> None:
    robot = created(web, body())
    second = web.api("POST", f"/robots/{robot['id']}/secrets", "admin").get_json()
    for secret in (robot["secret"], second["secret"]):
        assert granted(web, robot["name"], secret) == {"web/a": ["pull", "push"]}
    assert web.api("POST", f"/robots/{robot['id']}/secrets", "admin").status_code == 412
    first = web.api("GET", f"/robots/{robot['id']}/secrets", "admin").get_json()[-1]["id"]
    assert web.api("DELETE", f"/robots/{robot['id']}/secrets/{first}", "admin").status_code == 200
    assert granted(web, robot["name"], robot["secret"]) == 401
    assert granted(web, robot["name"], second["secret"]) == {"web/a": ["pull", "push"]}


def test_another_prefix_renames_all(web: World) -> None:
    robot = created(web, body())
    assert web.api("PUT", "/configurations", "admin", json={"robot_name_prefix": "bot"}).status_code == 400
    assert web.api("PUT", "/configurations", "admin", json={"robot_name_prefix": "bot$"}).status_code == 200
    assert granted(web, "bot$web+ci", robot["secret"]) == {"web/a": ["pull", "push"]}
    assert granted(web, "robot$web+ci", robot["secret"]) == 401
    assert web.api("PUT", "/configurations", "admin", json={"robot_name_prefix": "harbor@"}).status_code == 200
    assert granted(web, "harbor@web+ci", robot["secret"]) == {"web/a": ["pull", "push"]}
    assert granted(web, "bot$web+ci", robot["secret"]) == 401
    named_so = {"username": "harbor@web", "password": "long and not common", "email": "x@example.com"}
    assert web.api("POST", "/users", "admin", json=named_so).status_code == 400


def test_robots_and_people_have_names_apart(web: World) -> None:
    web.user("bot-anna")
    for name in ("robot-x", "ROBOT-x", "oidc", "OIDC", "anonymous", "a\u200bb", "a\u202eb"):
        body_ = {"username": name, "password": "long and not common", "email": "x@example.com"}
        assert web.api("POST", "/users", "admin", json=body_).status_code == 400
    assert web.api("PUT", "/configurations", "admin", json={"robot_name_prefix": "bot$"}).status_code == 400
    assert web.api("PUT", "/configurations", "admin", json={"robot_name_prefix": "machine$"}).status_code == 200
    body_ = {"username": "machine-x", "password": "long and not common", "email": "x@example.com"}
    assert web.api("POST", "/users", "admin", json=body_).status_code == 400


def test_a_projects_robots_go_with_it(web: World) -> None:
    robot = created(web, body())
    assert web.api("DELETE", "/projects/web", "admin").status_code == 200
    assert granted(web, robot["name"], robot["secret"]) == 401
    assert web.api("GET", f"/robots/{robot['id']}", "admin").status_code == 404


def test_harbors_older_paths(web: World) -> None:
    old = {"name": "old", "access": [{"resource": "/project/1/repository", "action": "push"}]}
    robot = web.api("POST", "/projects/web/robots", "admin", json=old).get_json()
    assert granted(web, "robot$web+old", robot["secret"]) == {"web/a": ["pull", "push"]}
    assert web.api("PUT", f"/projects/web/robots/{robot['id']}", "admin", json={"disable": True}).status_code == 200
    assert granted(web, "robot$web+old", robot["secret"]) == 403
    assert [entry["name"] for entry in web.api("GET", "/projects/web/robots", "admin").get_json()] == ["robot$web+old"]
    assert web.api("DELETE", f"/projects/web/robots/{robot['id']}", "admin").status_code == 200


def test_the_catalogue_has_harbors_seventy_each() -> None:
    assert (len(SYSTEM_CATALOGUE), len(PROJECT_CATALOGUE)) == (70, 70)


def test_no_secret_is_stored_or_logged(web: World) -> None:
    robot = created(web, body())
    with web.changes():
        for table in ("secrets", "robots", "audit_logs"):
            rows = db.session.execute(db.text(f"SELECT * FROM {table}")).all()
            assert robot["secret"] not in str(rows)
