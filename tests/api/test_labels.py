"""Labels: of everybody and of one project; who may do what with them."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.rbac.roles import Role
from tests.support.world import World


def label(world: World, who: str, status: int = 201, **body: Any) -> int:
    response = world.api("POST", "/labels", who, json=body)
    assert response.status_code == status, response.text
    return int(response.headers["Location"].rpartition("/")[2]) if status == 201 else 0


def test_a_label_from_beginning_to_end(world: World) -> None:
    made = world.api("POST", "/labels", "admin", json={"name": "stable", "color": "#00FF00", "description": "x", "scope": "g"})
    assert (made.status_code, made.headers["Location"], made.data) == (201, "/api/v2.0/labels/1", b"")
    shown = world.api("GET", "/labels/1", "admin").get_json()
    assert {key: shown[key] for key in ("id", "name", "color", "description", "scope")} == {
        "id": 1, "name": "stable", "color": "#00FF00", "description": "x", "scope": "g",
    }  # fmt: skip
    assert "project_id" not in shown
    label(world, "admin", 409, name="stable", scope="g")
    assert world.api("PUT", "/labels/1", "admin", json={"name": "steady", "scope": "p", "project_id": 7}).status_code == 200
    changed = world.api("GET", "/labels/1", "admin").get_json()
    assert (changed["name"], changed["scope"]) == ("steady", "g")
    assert world.api("DELETE", "/labels/1", "admin").status_code == 200
    assert world.api("GET", "/labels/1", "admin").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "g"},
        {"name": "", "scope": "g"},
        {"name": "x" * 129, "scope": "g"},
        {"name": "x"},
        {"name": "x", "scope": "s"},
        {"name": "x", "scope": "p"},
    ],
)
def test_a_label_that_cannot_be(world: World, body: dict[str, Any]) -> None:
    label(world, "admin", 400, **body)


def test_lists_are_of_one_place(world: World) -> None:
    first, second = world.project("one", 1), world.project("two", 1)
    label(world, "admin", name="everywhere", scope="g", project_id=first)
    label(world, "admin", name="mine", scope="p", project_id=first)
    label(world, "admin", name="mine", scope="p", project_id=second)
    label(world, "admin", 404, name="x", scope="p", project_id=99)

    def names(query: str) -> list[str]:
        return [row["name"] for row in world.api("GET", f"/labels?{query}", "admin").get_json()]

    assert names("scope=g") == ["everywhere"]
    assert names(f"scope=p&project_id={second}") == ["mine"]
    assert names("scope=g&name=VERY") == ["everywhere"]
    assert names("scope=g&name=nothing") == []
    assert world.api("GET", "/labels", "admin").status_code == 400
    assert world.api("GET", "/labels?scope=p", "admin").status_code == 400


def test_who_may_do_what(world: World) -> None:
    world.user("stranger")
    project, public = world.project("web", 1), world.project("library", 1, public=True)
    everywhere = label(world, "admin", name="e", scope="g")
    own, open_ = (label(world, "admin", name="o", scope="p", project_id=id_) for id_ in (project, public))
    for role in Role:
        world.user(role.label.lower())
        world.member("web", role.label.lower(), role)

    def status(who: str | None, method: str, label_id: int, body: dict[str, Any] | None = None) -> int:
        return world.api(method, f"/labels/{label_id}", who, json=body).status_code

    reads = {Role.LIMITED_GUEST: 403}
    for role in Role:
        who = role.label.lower()
        writes = 200 if role in (Role.PROJECT_ADMIN, Role.MAINTAINER) else 403
        assert status(who, "GET", own) == reads.get(role, 200)
        assert world.api("GET", f"/labels?scope=p&project_id={project}", who).status_code == reads.get(role, 200)
        assert status(who, "PUT", own, {"name": "o"}) == writes
        label(world, who, 201 if writes == 200 else 403, name=who, scope="p", project_id=project)
        assert status(who, "PUT", everywhere, {"name": "e"}) == 403
        label(world, who, 403, name=who, scope="g")
    assert [status("stranger", "GET", id_) for id_ in (everywhere, own, open_)] == [200, 403, 200]
    assert [status("stranger", "DELETE", id_) for id_ in (everywhere, own, open_)] == [403, 403, 403]
    assert [status(None, method, everywhere) for method in ("GET", "DELETE")] == [401, 401]
    assert world.api("GET", "/labels?scope=g").status_code == 401
    assert status("maintainer", "DELETE", own) == 200
