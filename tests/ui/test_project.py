"""The other pages of a project: members, log, settings; what each role sees of them, and what it may change."""

from __future__ import annotations

import re

import pytest

from authsvc.groups import service as groups
from authsvc.rbac.roles import BY_POWER, Role
from tests.support.visitor import Visitor, see
from tests.support.world import World

HOSTILE = "<img src=x onerror=alert(1)>"
TABS = {
    Role.PROJECT_ADMIN: ["", "/members", "/logs", "/settings"],
    Role.MAINTAINER: ["", "/members"],
    Role.DEVELOPER: ["", "/members"],
    Role.GUEST: ["", "/members"],
    Role.LIMITED_GUEST: [""],
}


@pytest.fixture
def team(world: World) -> World:
    """A project `team` with a user for each role, named as the role."""
    world.project("team", 1)
    for role in BY_POWER:
        world.user(role.label)
        world.member("team", role.label, role)
    world.user("newcomer")
    return world


def visitor(world: World, name: str) -> Visitor:
    one = Visitor(world)
    one.sign_in(name)
    return one


def members(world: World) -> dict[str, int]:
    listed = world.api("GET", "/projects/team/members?page_size=100", "admin").get_json()
    return {one["entity_name"]: one["role_id"] for one in listed if one["entity_name"] != "admin"}


def row(one: Visitor, name: str) -> str:
    """The path of the form that changes a member."""
    found = re.search(rf'<th scope="row">{name}</th>.*?action="([^"]+)"', one.get("/projects/team/members").text, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("role", [*TABS])
def test_each_role_has_its_tabs(team: World, role: Role) -> None:
    one = visitor(team, role.label)
    links = one.page("/projects/team").links
    assert [path for path in ("", "/members", "/logs", "/settings") if links.count(f"/projects/team{path}")] == TABS[role]
    for path in ("/members", "/logs", "/settings"):
        assert (one.get(f"/projects/team{path}").status_code == 200) is (path in TABS[role]), path
        assert Visitor(team).get(f"/projects/team{path}").headers["Location"].startswith("/sign-in")
        assert visitor(team, "newcomer").get(f"/projects/team{path}").status_code == 403


def test_members_are_added_changed_and_removed(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    added = boss.post("/projects/team/members", kind="user", name="newcomer", role="3")
    assert (added.status_code, added.headers["Location"]) == (303, "/projects/team/members")
    assert members(team)["newcomer"] == Role.GUEST
    assert boss.post(row(boss, "newcomer"), action="change", role="4").status_code == 303
    assert members(team)["newcomer"] == Role.MAINTAINER
    assert boss.post(row(boss, "newcomer"), action="remove").status_code == 303
    assert "newcomer" not in members(team)


def test_what_cannot_be_is_said_and_changes_nothing(team: World) -> None:
    boss, before = visitor(team, "projectAdmin"), members(team)
    for form, status in (
        ({"kind": "user", "name": HOSTILE, "role": "2"}, 404),
        ({"kind": "user", "name": "developer", "role": "2"}, 409),
        ({"kind": "user", "name": "newcomer", "role": "9"}, 400),
        ({"kind": "user", "name": "newcomer", "role": "٣"}, 400),
        ({"kind": "user", "name": "newcomer"}, 400),
        ({"kind": "user", "name": " ", "role": "2"}, 400),
        ({"kind": "user", "name": "x" * 513, "role": "2"}, 400),
        ({"kind": "user", "name": "a\0b", "role": "2"}, 400),
        ({"kind": "robot", "name": "newcomer", "role": "2"}, 400),
        ({"kind": "ldap:nowhere", "name": "cn=devs,dc=example", "role": "2"}, 404),
    ):
        refused = boss.post("/projects/team/members", form)
        assert (refused.status_code, refused.mimetype) == (status, "text/html"), form
        assert "alert" in refused.text
        assert "img" not in see(refused).tags
    assert boss.post("/projects/team/members/999999", action="change", role="2").status_code == 404
    assert members(team) == before


@pytest.mark.parametrize("role", BY_POWER[1:4])
def test_others_see_members_and_are_told_who_changes_them(team: World, role: Role) -> None:
    one, before = visitor(team, role.label), members(team)
    page = one.page("/projects/team/members")
    assert "newcomer" not in page.text
    assert "Only a project administrator" in page.text
    assert "select" not in page.tags
    path = row(visitor(team, "admin"), role.label)
    for refused in (
        one.post("/projects/team/members", kind="user", name="newcomer", role="3"),
        one.post(path, action="change", role="1"),
        one.post(path, action="remove"),
    ):
        assert refused.status_code == 403
    assert members(team) == before


def test_groups_and_many_members(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    directory = {"auth_mode": "ldap_auth", "ldap_url": "ldap://127.0.0.1:1", "ldap_base_dn": "dc=example", "ldap_uid": "uid"}
    assert team.api("PUT", "/configurations", "admin", json=directory).status_code == 200
    with team.changes():
        groups.create("test", groups.group_name(1, "devs", "cn=devs,dc=example"))
    assert "group of the directory default" in boss.page("/projects/team/members").text
    assert boss.post("/projects/team/members", kind="ldap:default", name="cn=Devs,dc=Example", role="2").status_code == 303
    assert members(team)["devs"] == Role.DEVELOPER
    for number in range(60):
        team.user(f"user-{number:02}")
        team.member("team", f"user-{number:02}", Role.GUEST)
    assert "1 to 50 of 67" in boss.page("/projects/team/members").text
    found = boss.page("/projects/team/members?search=R-1").text
    assert "1 to 10 of 10" in found
    by_role = boss.get("/projects/team/members?sort=role").text
    assert by_role.index("projectAdmin</th>") < by_role.index("developer</th>") < by_role.index("user-00</th>")


def test_the_log_says_who_did_what(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    boss.post("/projects/team/members", kind="user", name="newcomer", role="3")
    page = boss.page("/projects/team/logs")
    assert page.text.index("newcomer") < page.text.index("limitedGuest"), "newest first"
    assert "guest in team" in page.text
    assert "newcomer" in boss.page("/projects/team/logs?search=COMER").text
    assert "limitedGuest" not in boss.page("/projects/team/logs?search=newcomer").text
    assert "Nothing like this is noted." in boss.page("/projects/team/logs?search=%25").text
    assert boss.get("/projects/team/logs?sort=changes").status_code == 400


def test_settings(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    assert Visitor(team).get("/projects/team").status_code == 302
    assert boss.post("/projects/team/settings", public="true").status_code == 303
    assert Visitor(team).get("/projects/team").status_code == 200
    assert boss.post("/projects/team/settings", public="perhaps").status_code == 400
    assert boss.post("/projects/team/settings").status_code == 400
    assert Visitor(team).get("/projects/team").status_code == 200
    assert visitor(team, "maintainer").post("/projects/team/settings", public="false").status_code == 403


def test_a_project_is_deleted_by_who_writes_its_name(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    for wrong in ({}, {"confirmation": "Team"}, {"confirmation": "another"}):
        refused = boss.post("/projects/team/delete", wrong)
        assert (refused.status_code, "nothing was deleted" in refused.text) == (400, True)
    assert visitor(team, "maintainer").post("/projects/team/delete", confirmation="team").status_code == 403
    assert boss.get("/projects/team").status_code == 200
    done = boss.post("/projects/team/delete", confirmation="team")
    assert (done.status_code, done.headers["Location"]) == (303, "/projects")
    assert visitor(team, "admin").get("/projects/team").status_code == 404
