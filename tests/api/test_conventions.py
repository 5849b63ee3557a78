"""Harbor's conventions, which its clients break without: statuses, headers, pages, errors, encoded names."""

from __future__ import annotations

import pytest

from authsvc.core.db import db, utcnow
from authsvc.projects import service as projects
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from tests.support.world import World, basic


def test_ping_version_and_health(world: World) -> None:
    assert world.api("GET", "/ping").text == "Pong"
    assert world.client.get("/api/version").get_json() == {"version": "v2.0"}
    health = world.api("GET", "/health").get_json()
    assert health["status"] == "unhealthy"  # no registry and no worker run in this test
    status = {component["name"]: component["status"] for component in health["components"]}
    away = dict.fromkeys(("jobservice", "registry", "token", "webhook"), "unhealthy")
    assert status == away | dict.fromkeys(("core", "database", "inbox", "index", "storage", "certificate", "selftest"), "healthy")
    assert world.api("GET", "/health?strict=true").status_code == 503


def test_systeminfo_tells_strangers_little(world: World) -> None:
    anonymous = world.api("GET", "/systeminfo").get_json()
    assert set(anonymous) == {"auth_mode", "primary_auth_mode", "self_registration"}
    known = world.api("GET", "/systeminfo", "admin").get_json()
    assert known["registry_url"] == "localhost:8443"
    assert known["harbor_version"].startswith("v2.")


def test_created_things_have_a_relative_location(world: World) -> None:
    response = world.api("POST", "/projects", "admin", json={"project_name": "web"})
    assert (response.status_code, response.headers["Location"], response.data) == (201, "/api/v2.0/projects/1", b"")
    assert "Content-Type" not in response.headers  # clients parse what is said to be JSON
    by_name = world.api(
        "POST", "/projects", "admin", json={"project_name": "api"}, headers={"X-Resource-Name-In-Location": "true"}
    )
    assert by_name.headers["Location"] == "/api/v2.0/projects/api"
    body = {"username": "bob", "password": "long enough", "email": "bob@example.com"}
    assert world.api("POST", "/users", "admin", json=body).headers["Location"] == "/api/v2.0/users/2"
    member = world.api("POST", "/projects/web/members", "admin", json={"role_id": 2, "member_user": {"username": "bob"}})
    assert member.headers["Location"] == "/api/v2.0/projects/web/members/3"


def test_pages(world: World) -> None:
    for number in range(25):
        world.project(f"p{number:02}", 1, public=True)
    first = world.api("GET", "/projects?page_size=10&sort=name")
    assert first.headers["X-Total-Count"] == "25"
    assert first.headers["Link"] == '</api/v2.0/projects?page=2&page_size=10&sort=name>; rel="next"'
    second = world.api("GET", "/projects?page=2&page_size=10")
    assert [project["name"] for project in second.get_json()] == [f"p{number:02}" for number in range(10, 20)]
    assert 'rel="prev" , <' in second.headers["Link"]
    beyond = world.api("GET", "/projects?page=9")
    assert (beyond.status_code, beyond.get_json(), beyond.headers["X-Total-Count"]) == (200, [], "25")
    assert len(world.api("GET", "/projects?page_size=0").get_json()) == 25
    assert world.api("GET", "/projects?page_size=101").status_code == 422
    assert [project["name"] for project in world.api("GET", "/projects?page=0&page_size=2").get_json()] == ["p00", "p01"]
    assert len(world.api("GET", "/projects?page_size=-7&page=3").get_json()) == 25
    none = world.api("GET", "/projects?name=nothing")
    assert (none.get_json(), none.headers["X-Total-Count"]) == ([], "0")


def test_q_and_sort(world: World) -> None:
    for name in ("web", "webshop", "api"):
        world.project(name, 1, public=name == "api")

    def names(query: str) -> list[str]:
        return [project["name"] for project in world.api("GET", f"/projects?{query}", "admin").get_json()]

    assert names("q=name=~web&sort=-name") == ["webshop", "web"]
    assert names("q=name={api web}") == ["api", "web"]
    assert names("q=public=true") == ["api"]
    assert names("q=project_id=[2~]") == ["api", "webshop"]
    assert names("q=name=~%2525") == []
    assert world.api("GET", "/projects?q=name", "admin").get_json()["errors"][0]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("method", "path", "who", "options", "status", "code"),
    [
        ("GET", "/nowhere", "admin", {}, 404, "NOT_FOUND"),
        ("PATCH", "/ping", None, {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/projects", "admin", {"data": "{", "content_type": "application/json"}, 422, "UNPROCESSABLE_ENTITY"),
        ("POST", "/projects", "admin", {"json": {"project_name": 7}}, 422, "UNPROCESSABLE_ENTITY"),
        ("POST", "/projects", "admin", {"json": {}}, 422, "UNPROCESSABLE_ENTITY"),
        ("POST", "/projects", "admin", {"json": {"project_name": "Not A Name"}}, 400, "BAD_REQUEST"),
        ("POST", "/projects", None, {"json": {"project_name": "x"}}, 401, "UNAUTHORIZED"),
        ("GET", "/users", "alice", {}, 403, "FORBIDDEN"),
        ("GET", "/users", None, {}, 401, "UNAUTHORIZED"),
        ("GET", "/projects/secret", "alice", {}, 403, "FORBIDDEN"),
        ("GET", "/projects/missing", "alice", {}, 403, "FORBIDDEN"),
        ("GET", "/projects/secret", None, {}, 401, "UNAUTHORIZED"),
        ("GET", "/projects/missing", None, {}, 401, "UNAUTHORIZED"),
        ("GET", "/projects/missing", "admin", {}, 404, "NOT_FOUND"),
        ("POST", "/projects", "admin", {"json": {"project_name": "secret"}}, 409, "CONFLICT"),
        ("POST", "/projects", "admin", {"json": {"project_name": "x", "metadata": {"severity": "red"}}}, 400, "BAD_REQUEST"),
        ("GET", "/users/99999999999999999999", "admin", {}, 404, "NOT_FOUND"),
        ("GET", "/projects/99999999999999999999", "admin", {}, 404, "NOT_FOUND"),
    ],
)
def test_errors_have_one_shape(
    world: World, method: str, path: str, who: str | None, options: dict[str, object], status: int, code: str
) -> None:
    world.user("alice")
    world.project("secret", 1)
    response = world.api(method, path, who, **options)
    assert response.status_code == status, response.text
    (error,) = response.get_json()["errors"]
    assert error["code"] == code
    assert error["message"]


def test_wrong_credentials_are_401_even_where_nobody_needs_any(world: World) -> None:
    response = world.client.get("/api/v2.0/projects", headers=basic("admin", "wrong"))
    assert response.status_code == 401


def test_every_answer_has_a_request_id_and_safe_headers(world: World) -> None:
    response = world.api("GET", "/ping", headers={"X-Request-Id": "abc-123"})
    assert response.headers["X-Request-Id"] == "abc-123"
    made_up = world.api("GET", "/nowhere", headers={"X-Request-Id": "<script>"}).headers["X-Request-Id"]
    assert made_up.isalnum()
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"):
        assert name in response.headers
    assert "Set-Cookie" not in world.api("GET", "/users/current", "admin").headers


@pytest.mark.parametrize("path", ["/projects/", "//projects", "/projects//web/", "/quotas/", "/projects/web/metadatas/public/"])
def test_slashes_too_many_mean_nothing(world: World, path: str) -> None:
    """As to Harbor's router; its Terraform provider asks for `/quotas/?page=1`."""
    world.project("web", 1)
    assert world.api("GET", f"{path}?page=1", "admin").status_code == 200


@pytest.mark.parametrize("encoded", ["a%252Fb", "a%2Fb", "a%252fb", "a%2fb"])
def test_names_with_slashes_come_encoded_once_or_twice(world: World, encoded: str) -> None:
    world.project("web", 1, public=True)
    with world.changes():
        repositories.ensure("web/a/b", utcnow())
    response = world.client.open(
        f"/api/v2.0/projects/web/repositories/{encoded}",
        headers=basic("admin"),
        environ_overrides={"REQUEST_URI": f"/api/v2.0/projects/web/repositories/{encoded}"},
    )
    assert response.status_code == 200, response.text
    assert response.get_json()["name"] == "web/a/b"


def test_digits_are_an_id_unless_the_header_says_they_are_a_name(world: World) -> None:
    world.project("web", 1)
    world.project("1", 1)
    assert world.api("GET", "/projects/1", "admin").get_json()["name"] == "web"
    named = world.api("GET", "/projects/1", "admin", headers={"X-Is-Resource-Name": "true"})
    assert named.get_json()["name"] == "1"


def test_no_body_sets_what_its_schema_does_not_name(world: World) -> None:
    privileged = {
        "sysadmin_flag": True,
        "sysadmin": True,
        "id": 77,
        "user_id": 77,
        "owner_id": 77,
        "creation_time": "2000-01-01",
        "epoch": 9,
    }
    body = {"username": "eve", "password": "long enough", "email": "eve@example.com", **privileged}
    assert world.api("POST", "/users", "admin", json=body).status_code == 201
    eve = world.api("GET", "/users/2", "admin").get_json()
    assert eve["sysadmin_flag"] is False
    assert world.api("PUT", "/users/2", "admin", json={"realname": "Eve", **privileged}).status_code == 200
    assert world.api("GET", "/users/2", "admin").get_json() | {"update_time": ""} == eve | {"realname": "Eve", "update_time": ""}
    world.project("web", 1)
    assert world.api("PUT", "/projects/web", "admin", json={"metadata": {"public": "true"}, **privileged}).status_code == 200
    with world.front.flask.app_context():
        assert projects.get_by_name("web").owner_id == 1
        db.session.rollback()


def test_zero_values_are_left_out_and_times_have_milliseconds(world: World) -> None:
    world.project("web", 1)
    project = world.api("GET", "/projects/web", "admin").get_json()
    assert project["repo_count"] == 0
    assert project["metadata"] == {"public": "false"}
    assert project["current_user_role_id"] == Role.PROJECT_ADMIN
    assert len(project["creation_time"]) == len("2024-01-02T03:04:05.678Z")
    assert "registry_id" not in project


def test_the_openapi_document_names_every_operation(world: World) -> None:
    document = world.api("GET", "/openapi.json").get_json()
    served = {
        (rule.rule.replace("<int:", "<"), method)
        for rule in world.front.flask.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
        if rule.rule.startswith("/api/v2.0/") and not rule.endpoint.startswith("api-docs")
    }
    assert len(served) >= 35
    assert sum(len(set(path) & {"get", "put", "post", "patch", "delete"}) for path in document["paths"].values()) == len(served)


@pytest.mark.parametrize(
    ("content_type", "data", "status"),
    [
        ("text/plain", '{"project_name": "x"}', 415),
        ("application/x-www-form-urlencoded", "project_name=x", 415),
        ("application/json", '{"project_name": "a\\u0000b"}', 422),
        ("application/json", '{"project_name": "\\ud800"}', 422),
        ("application/json", '{"project_name": "x", "storage_limit": 1e999}', 422),
        ("application/json", '{"project_name": "x", "storage_limit": 99999999999999999999}', 422),
        ("application/json", "[" * 200_000, 422),
        ("application/json", "[]", 422),
        ("application/json", "null", 422),
    ],
)
def test_bodies_that_cannot_be_read(world: World, content_type: str, data: str, status: int) -> None:
    response = world.api("POST", "/projects", "admin", data=data, content_type=content_type)
    assert response.status_code == status, response.text
    assert response.get_json()["errors"][0]["code"] in ("UNSUPPORTED_MEDIA_TYPE", "UNPROCESSABLE_ENTITY")


@pytest.mark.parametrize("path", ["/projects?name=a%00b", "/projects?q=name%3D~%2500", "/projects/a%00b", "/projects?page=9e99"])
def test_urls_that_no_database_could_be_asked_for(world: World, path: str) -> None:
    assert world.api("GET", path, "admin").status_code in (400, 404, 422)


def test_links_keep_the_other_parameters_and_can_be_followed(world: World) -> None:
    for number in range(5):
        world.project(f"web{number}", 1)
    first = world.api("GET", "/projects?page_size=2&sort=-name&q=name%3D~web%2Cpublic%3Dfalse", "admin")
    link = first.headers["Link"]
    assert link == '</api/v2.0/projects?page=2&page_size=2&q=name=~web%2Cpublic=false&sort=-name>; rel="next"'
    second = world.client.get(link[1 : link.index(">")], headers=basic("admin"))
    assert [project["name"] for project in second.get_json()] == ["web2", "web1"]
    assert [name for name in ("prev", "next") if f'rel="{name}"' in second.headers["Link"]] == ["prev", "next"]


@pytest.mark.parametrize("q", ["name=a,", ",", "name", "=a", "name=", "name={a", "project_id=[1]"])
def test_queries_that_harbor_refuses(world: World, q: str) -> None:
    refused = world.api("GET", "/projects", "admin", query_string={"q": q})
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (400, "BAD_REQUEST")
