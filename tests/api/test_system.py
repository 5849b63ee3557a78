"""Search, statistics, volumes, permissions: what everybody may know, and what only administrators may."""

from __future__ import annotations

from authsvc.core.db import utcnow
from authsvc.core.layout import Layout
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from tests.support.world import World


def fill(world: World) -> None:
    world.user("alice")
    for name in ("mine", "secret", "library"):
        world.project(name, 1, public=name == "library")
        with world.changes():
            repositories.ensure(f"{name}/app", utcnow())
    with world.changes():
        repositories.ensure("library/apple", utcnow())
    world.member("mine", "alice", Role.DEVELOPER)


def test_search_finds_what_may_be_known(world: World) -> None:
    fill(world)

    def found(who: str | None, text: str) -> tuple[list[str], list[str]]:
        body = world.api("GET", f"/search?q={text}", who).get_json()
        return [row["name"] for row in body["project"]], [row["repository_name"] for row in body["repository"]]

    assert found(None, "app") == ([], ["library/app", "library/apple"])
    assert found("alice", "app") == ([], ["library/app", "library/apple", "mine/app"])
    assert found("admin", "SECRET") == (["secret"], ["secret/app"])
    assert found("alice", "secret") == ([], [])
    assert found("admin", "%25") == ([], [])
    assert world.api("GET", "/search", "admin").status_code == 422
    (repository,) = world.api("GET", "/search?q=mine/", "alice").get_json()["repository"]
    assert repository == {
        "project_id": 1, "project_name": "mine", "project_public": False, "repository_name": "mine/app",
        "pull_count": 0, "artifact_count": 0,
    }  # fmt: skip


def test_statistics(world: World) -> None:
    fill(world)
    assert world.api("GET", "/statistics").status_code == 401
    private, public = {"private_project_count": 1, "private_repo_count": 1}, {"public_project_count": 1, "public_repo_count": 2}
    totals = {"total_project_count": 0, "total_repo_count": 0, "total_storage_consumption": 0}
    assert world.api("GET", "/statistics", "alice").get_json() == private | public | totals
    of_admin = {"private_project_count": 2, "private_repo_count": 2, "total_project_count": 3, "total_repo_count": 4}
    assert world.api("GET", "/statistics", "admin").get_json() == totals | public | of_admin


def test_volumes_are_the_registrys_disk(world: World) -> None:
    assert world.api("GET", "/systeminfo/volumes", "admin").status_code == 404  # nothing was ever stored
    storage = Layout(world.front.flask.config["TIDEGATE"]).storage
    assert storage is not None
    storage.mkdir(parents=True)
    (volume,) = world.api("GET", "/systeminfo/volumes", "admin").get_json()["storage"]
    assert volume["total"] >= volume["free"] > 0


def test_what_can_be_given_to_robots(world: World) -> None:
    fill(world)
    both = world.api("GET", "/permissions", "admin").get_json()
    assert (len(both["system"]), len(both["project"])) == (70, 70)
    assert world.api("GET", "/permissions", "alice").status_code == 403
    world.user("bob")
    world.member("mine", "bob", Role.PROJECT_ADMIN)
    assert world.api("GET", "/permissions", "bob").get_json() == {"project": both["project"]}


def test_what_one_may_do(world: World) -> None:
    fill(world)

    def held(who: str, query: str) -> set[tuple[str, str]]:
        rows = world.api("GET", f"/users/current/permissions?{query}", who).get_json()
        return {(row["resource"], row["action"]) for row in rows}

    developer = held("alice", "scope=/project/1&relative=true")
    assert {(".", "read"), ("repository", "push")} <= developer
    assert not {(".", "update"), ("repository", "delete")} & developer
    assert {("/project/1", "read"), ("/project/1/repository", "push")} <= held("alice", "scope=/project/1")
    assert held("alice", "scope=/project/2") == set()
    assert held("alice", "scope=/project/99") == set()
    assert held("alice", "scope=/system&relative=true") == set()
    assert ("user", "create") in held("admin", "scope=/system&relative=true")
    assert ("/system/user", "create") in held("admin", "scope=/system")
    assert held("admin", "") == set()
    assert world.api("GET", "/users/current/permissions?scope=/system").status_code == 401


def test_systeminfo_names_the_provider(world: World) -> None:
    wanted = {"auth_mode": "oidc_auth", "oidc_name": "Example", "oidc_endpoint": "https://id.example.com", "oidc_client_id": "x"}
    assert world.api("PUT", "/configurations", "admin", json=wanted).status_code == 200
    anonymous = world.api("GET", "/systeminfo").get_json()
    assert (anonymous["auth_mode"], anonymous["oidc_provider_name"]) == ("oidc_auth", "Example")
