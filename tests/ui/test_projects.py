"""The pages of projects: who sees which, in what order, and makes new ones."""

from __future__ import annotations

import pytest

from authsvc.rbac.roles import Role
from tests.support.visitor import Visitor, see
from tests.support.world import World


@pytest.fixture
def some(world: World) -> World:
    for number in range(60):
        world.project(f"team-{number:02}", 1)
    world.project("open", 1, public=True)
    world.user("dora")
    world.member("team-07", "dora", Role.DEVELOPER)
    return world


def named(visitor: Visitor, path: str) -> list[str]:
    links = visitor.page(path).links
    return [link.removeprefix("/projects/") for link in links if link.startswith("/projects/")]


def test_everybody_sees_his_own(some: World) -> None:
    assert named(Visitor(some), "/projects") == ["open"]
    dora = Visitor(some)
    dora.sign_in("dora")
    assert named(dora, "/projects") == ["open", "team-07"]
    assert "developer" in dora.page("/projects").text
    refused = dora.get("/projects/team-08")
    assert (refused.status_code, "You may not do this" in see(refused).text) == (403, True)
    assert dora.get("/projects/team-07").status_code == 200
    assert Visitor(some).get("/projects/open").status_code == 200


def test_the_table_is_searched_sorted_and_paged_over_everything(some: World) -> None:
    admin = Visitor(some)
    admin.sign_in("admin")
    first = admin.page("/projects")
    assert "1 to 50 of 61" in first.text
    assert named(admin, "/projects?page=2") == [f"team-{number}" for number in range(49, 60)]
    assert named(admin, "/projects?sort=-name")[0] == "team-59"
    assert named(admin, "/projects?search=M-1") == [f"team-{number}" for number in range(10, 20)]
    assert "No project that you may see" in admin.page("/projects?search=%25").text, "no pattern"
    found = admin.page("/projects?search=team&sort=-name")
    assert "/projects?search=team&sort=-name&page=2" in found.links
    assert admin.page("/projects?page=999999999999").text, "an empty part is no error"
    for query in ("sort=password", "search=" + "x" * 256, "search=%00"):
        assert admin.get(f"/projects?{query}").status_code == 400


def test_a_new_project(some: World) -> None:
    dora = Visitor(some)
    assert dora.get("/new-project").headers["Location"] == "/sign-in?next=/new-project"
    dora.sign_in("dora")
    refused = dora.post("/new-project", name="Not <b>this</b>", public="true")
    assert refused.status_code == 400
    assert "Not &lt;b&gt;this" in refused.text
    assert dora.post("/new-project", name="open").status_code == 409
    made = dora.post("/new-project", name="mine", public="true")
    assert (made.status_code, made.headers["Location"]) == (303, "/projects/mine")
    assert "docker push" in dora.page("/projects/mine").text
    assert "public" in dora.page("/projects/mine").text
    assert dora.post("/new-project", name="new").headers["Location"] == "/projects/new"
    assert "docker push" in dora.page("/projects/new").text, "a project may be called so"
    assert some.api("PUT", "/configurations", "admin", json={"project_creation_restriction": "adminonly"}).status_code == 200
    assert dora.post("/new-project", name="another").status_code == 403
    listed = dora.page("/projects")
    assert "/new-project" not in listed.links
    assert "Only system admin can create project" in listed.text
