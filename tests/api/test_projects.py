"""Projects by Harbor's rules: metadata, allowlist, summary, deletion, and what a list shows."""

from __future__ import annotations

import pytest

from authsvc.core.db import utcnow
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from tests.support.world import World


def message(response: object) -> str:
    return str(response.get_json()["errors"][0]["message"])  # type: ignore[attr-defined]


def test_metadata_one_key_at_a_time(world: World) -> None:
    world.project("web", 1)
    path = "/projects/web/metadatas"
    assert world.api("GET", f"{path}/", "admin").get_json() == {"public": "false"}
    assert world.api("GET", path, "admin").status_code == 200  # some clients leave the slash out
    assert world.api("POST", f"{path}/", "admin", json={"auto_scan": "T"}).status_code == 200
    assert world.api("GET", f"{path}/auto_scan", "admin").get_json() == {"auto_scan": "true"}
    assert world.api("POST", f"{path}/", "admin", json={"auto_scan": "true"}).status_code == 409
    assert world.api("POST", f"{path}/", "admin", json={"public": "true"}).status_code == 409
    assert world.api("PUT", f"{path}/auto_scan", "admin", json={"auto_scan": "false"}).status_code == 200
    assert world.api("PUT", f"{path}/public", "admin", json={"public": "true"}).status_code == 200
    assert world.api("GET", "/projects/web").get_json()["metadata"] == {"public": "true", "auto_scan": "false"}
    assert world.api("DELETE", f"{path}/auto_scan", "admin").status_code == 200
    assert world.api("DELETE", f"{path}/auto_scan", "admin").status_code == 200
    assert world.api("GET", f"{path}/auto_scan", "admin").get_json() == {}
    assert world.api("DELETE", f"{path}/public", "admin").status_code == 200
    assert world.api("GET", "/projects/web").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "", {}, "only allow one key/value pair"),
        ("POST", "", {"auto_scan": "true", "severity": "low"}, "only allow one key/value pair"),
        ("POST", "", {"colour": "red"}, "invalid key: colour"),
        ("POST", "", {"retention_id": "7"}, "invalid key: retention_id"),
        ("POST", "", {"severity": "red"}, "invalid value: red"),
        ("POST", "", {"proxy_speed_kb": "fast"}, "invalid value: fast"),
        ("POST", "", {"auto_scan": "yes"}, "invalid value: yes"),
        ("PUT", "auto_scan", {"severity": "low"}, "the body must hold the key auto_scan, as the path does"),
    ],
)
def test_metadata_that_cannot_be(world: World, method: str, path: str, body: dict[str, str], said: str) -> None:
    world.project("web", 1)
    response = world.api(method, f"/projects/web/metadatas/{path}", "admin", json=body)
    assert (response.status_code, message(response)) == (400, said)


def test_metadata_are_strings(world: World) -> None:
    world.project("web", 1)
    for body in ({"auto_scan": True}, {"auto_scan": None}, ["auto_scan"]):
        assert world.api("POST", "/projects/web/metadatas/", "admin", json=body).status_code == 422


def test_every_way_to_a_setting_asks_for_the_same_role(world: World) -> None:
    """CVE-2024-22278: a maintainer could change a project's configuration by its second path."""
    project_id = world.project("web", 1)
    ways = [
        ("PUT", "/projects/web", {"metadata": {"auto_scan": "true"}}),
        ("PUT", f"/projects/{project_id}", {"metadata": {"auto_scan": "true"}}),
        ("POST", "/projects/web/metadatas/", {"prevent_vul": "true"}),
        ("PUT", "/projects/web/metadatas/auto_scan", {"auto_scan": "false"}),
        ("DELETE", "/projects/web/metadatas/auto_scan", None),
    ]
    for role in Role:
        name = role.label.lower()
        world.user(name)
        world.member("web", name, role)
        expected = {200} if role is Role.PROJECT_ADMIN else {403}
        assert {world.api(method, path, name, json=body).status_code for method, path, body in ways} == expected


def test_what_a_project_was_read_as_can_be_written_back(world: World) -> None:
    world.project("web", 1)
    read = world.api("GET", "/projects/web", "admin").get_json()
    read["metadata"] |= {"retention_id": "3", "of_a_newer_harbor": "x", "severity": ""}
    assert world.api("PUT", "/projects/web", "admin", json=read).status_code == 200
    assert world.api("GET", "/projects/web", "admin").get_json()["metadata"] == {"public": "false"}


def test_a_projects_allowlist(world: World) -> None:
    world.project("web", 1)
    other = world.project("other", 1)
    empty = world.api("GET", "/projects/web", "admin").get_json()["cve_allowlist"]
    assert empty["items"] == []
    wanted = {"items": [{"cve_id": "CVE-2024-1"}, {"cve_id": "CVE-2024-2"}], "expires_at": 1_900_000_000}
    assert world.api("PUT", "/projects/web", "admin", json={"cve_allowlist": wanted}).status_code == 200
    for shown in (
        world.api("GET", "/projects/web", "admin").get_json(),
        world.api("GET", "/projects?name=web", "admin").get_json()[0],
    ):
        assert {key: shown["cve_allowlist"][key] for key in wanted} == wanted
        assert shown["cve_allowlist"]["project_id"] == 1
    foreign = world.api("PUT", "/projects/web", "admin", json={"cve_allowlist": wanted | {"project_id": other}})
    assert (foreign.status_code, message(foreign)) == (400, "project_id in cve_allowlist must be 1 but it's 2")
    twice = {"items": [{"cve_id": "CVE-1"}, {"cve_id": "CVE-1"}]}
    assert world.api("PUT", "/projects/web", "admin", json={"cve_allowlist": twice}).status_code == 400
    assert world.api("PUT", "/projects/web", "admin", json={"cve_allowlist": {"items": [{"cve_id": " "}]}}).status_code == 400
    assert world.api("PUT", "/projects/web", "admin", json={"metadata": {"auto_scan": "true"}}).status_code == 200
    assert len(world.api("GET", "/projects/web", "admin").get_json()["cve_allowlist"]["items"]) == 2


def test_the_systems_allowlist(world: World) -> None:
    world.user("alice")
    assert world.api("GET", "/system/CVEAllowlist").status_code == 401
    assert world.api("GET", "/system/CVEAllowlist", "alice").get_json()["items"] == []
    assert world.api("PUT", "/system/CVEAllowlist", "admin", json={"items": [{"cve_id": "CVE-1"}]}).status_code == 200
    shown = world.api("GET", "/system/CVEAllowlist", "alice").get_json()
    assert (shown["items"], "expires_at" in shown) == ([{"cve_id": "CVE-1"}], False)
    assert world.api("PUT", "/system/CVEAllowlist", "admin", json={"items": None}).status_code == 200
    assert world.api("GET", "/system/CVEAllowlist", "alice").get_json()["items"] == []


def test_a_project_goes_when_it_is_empty(world: World) -> None:
    world.project("web", 1)
    assert world.api("GET", "/projects/web/_deletable", "admin").get_json() == {"deletable": True}
    with world.changes():
        repositories.ensure("web/app", utcnow())
    said = "the project contains repositories, can not be deleted"
    assert world.api("GET", "/projects/web/_deletable", "admin").get_json() == {"deletable": False, "message": said}
    refused = world.api("DELETE", "/projects/web", "admin")
    assert (refused.status_code, message(refused)) == (412, said)
    assert world.api("POST", "/labels", "admin", json={"name": "x", "scope": "p", "project_id": 1}).status_code == 201
    assert world.api("DELETE", "/projects/web/repositories/app", "admin").status_code == 200
    assert world.api("DELETE", "/projects/web", "admin").status_code == 200
    assert world.api("GET", "/projects/web", "admin").status_code == 404
    assert world.api("GET", "/labels/1", "admin").status_code == 404


def test_the_summary_counts_members_for_those_who_may_see_them(world: World) -> None:
    world.project("web", 1)
    for name, role in (("dev", Role.DEVELOPER), ("dev2", Role.DEVELOPER), ("limited", Role.LIMITED_GUEST), ("gone", Role.GUEST)):
        world.user(name)
        world.member("web", name, role)
    assert world.api("DELETE", "/users/5", "admin").status_code == 200
    with world.changes():
        repositories.ensure("web/app", utcnow())
    quota = {"hard": {"storage": -1}, "used": {"storage": 0}}
    expected = {"quota": quota, "repo_count": 1, "project_admin_count": 1, "developer_count": 2, "limited_guest_count": 1}
    assert world.api("GET", "/projects/web/summary", "dev").get_json() == expected
    assert world.api("GET", "/projects/web/summary", "limited").get_json() == {"quota": quota, "repo_count": 1}


def test_without_detail_a_list_asks_and_says_less(world: World) -> None:
    world.project("web", 1)
    with world.changes():
        repositories.ensure("web/app", utcnow())
    (full,) = world.api("GET", "/projects", "admin").get_json()
    (short,) = world.api("GET", "/projects?with_detail=false", "admin").get_json()
    assert (full["repo_count"], short["repo_count"]) == (1, 0)
    assert "cve_allowlist" not in short
    assert short["metadata"] == full["metadata"] == {"public": "false"}


def test_head_says_whether_a_project_exists(world: World) -> None:
    world.user("alice")
    world.project("web", 1)
    assert [world.api("HEAD", f"/projects?project_name={name}", "alice").status_code for name in ("web", "nothing")] == [200, 404]
    assert world.api("HEAD", "/projects?project_name=web").status_code == 401
    assert world.api("HEAD", "/projects", "alice").status_code == 422


def test_only_administrators_may_ask_for_a_proxy_and_nobody_gets_one_silently(world: World) -> None:
    world.user("alice")
    body = {"project_name": "hub", "registry_id": 1}
    refused = world.api("POST", "/projects", "alice", json=body)
    assert (refused.status_code, message(refused)) == (403, "Only system admin can create proxy cache project")
    assert world.api("POST", "/projects", "admin", json=body).status_code == 404, "there is no such registry"
    assert world.api("HEAD", "/projects?project_name=hub", "admin").status_code == 404


def test_only_administrators_make_projects_if_so_configured(world: World) -> None:
    world.user("alice")
    assert world.api("PUT", "/configurations", "admin", json={"project_creation_restriction": "adminonly"}).status_code == 200
    refused = world.api("POST", "/projects", "alice", json={"project_name": "x"})
    assert refused.get_json() == {"errors": [{"code": "FORBIDDEN", "message": "Only system admin can create project"}]}


def test_robots_see_the_projects_that_they_may_read(world: World) -> None:
    for name in ("mine", "secret", "library"):
        world.project(name, 1, public=name == "library")

    def seen_by(namespace: str, *more: dict[str, str]) -> list[str]:
        access = [{"resource": "repository", "action": "pull"}, *more]
        permissions = [{"kind": "project", "namespace": namespace, "access": access}]
        body = {"name": f"ci{len(namespace)}{len(more)}", "level": "system", "duration": -1, "permissions": permissions}
        made = world.api("POST", "/robots", "admin", json=body).get_json()
        from tests.support.world import basic

        rows = world.api("GET", "/projects", headers=basic(made["name"], made["secret"])).get_json()
        return [row["name"] for row in rows]

    read = {"resource": "project", "action": "read"}
    assert seen_by("mine") == ["library"]
    assert seen_by("mine", read) == ["library", "mine"]
    assert seen_by("*", read) == ["library", "mine", "secret"]
