"""The pages of groups: listed with their people, made before anybody of them has come, renamed, deleted with their roles."""

from __future__ import annotations

import pytest

from authsvc.groups import service
from authsvc.groups.rules import GroupName, GroupType
from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/admin/groups"


@pytest.fixture
def boss(world: World) -> Visitor:
    body = {"oidc_name": "sso", "oidc_endpoint": "https://sso.example.com", "oidc_client_id": "registry"}
    assert world.api("PUT", "/configurations", "admin", json=body).status_code == 200
    made = Visitor(world)
    made.sign_in("admin")
    return made


def groups(world: World) -> dict[str, int]:
    return {one["group_name"]: one["id"] for one in world.api("GET", "/usergroups", "admin").get_json()}


def test_a_group_is_made_and_given_a_role_before_anybody_comes(world: World, boss: Visitor) -> None:
    assert 'name="of"' in boss.get(THERE).text
    made = boss.post(THERE, of="oidc:default", name="platform")
    assert (made.status_code, made.headers["Location"]) == (303, THERE)
    again = boss.post(THERE, of="oidc:default", name="platform")
    assert again.status_code == 409
    assert "exists already" in see(again).text
    world.project("team", 1)
    bob = world.user("bob")
    with world.changes():
        service.replace(bob, [GroupName(GroupType.OIDC, "platform")])
    there = f"{THERE}/{groups(world)['platform']}"
    members = {"role_id": 2, "member_group": {"id": groups(world)["platform"]}}
    assert world.api("POST", "/projects/team/members", "admin", json=members).status_code == 201
    seen = boss.page(there)
    assert "bob" in seen.text
    assert "team (developer)" in seen.text
    assert boss.post(there, action="delete", confirmation="plat").status_code == 400
    assert boss.post(there, action="delete", confirmation="platform").headers["Location"] == THERE
    assert groups(world) == {}
    assert world.api("GET", "/projects/team/members?entityname=platform", "admin").get_json() == []


def test_only_a_directorys_group_has_another_name(world: World, boss: Visitor) -> None:
    boss.post(THERE, of="oidc:default", name="platform")
    there = f"{THERE}/{groups(world)['platform']}"
    assert "Rename" not in boss.get(there).text
    assert boss.post(there, action="rename", name="other").status_code == 400
    assert boss.post(there, action="nothing").status_code == 400
    assert [*groups(world)] == ["platform"]


@pytest.mark.parametrize(
    ("of", "name", "said"), [("x:default", "a", "of is"), ("oidc:nowhere", "a", "nowhere"), ("oidc:default", "", "name")]
)
def test_what_cannot_be_one_is_refused_with_a_reason(world: World, boss: Visitor, of: str, name: str, said: str) -> None:
    refused = boss.post(THERE, of=of, name=name)
    assert refused.status_code in (400, 404)
    assert said in see(refused).text
    assert groups(world) == {}


def test_they_are_for_system_administrators(world: World) -> None:
    world.user("alice")
    visitor = Visitor(world)
    visitor.sign_in("alice")
    for path in (THERE, f"{THERE}/1"):
        assert visitor.get(path).status_code == 403
        assert visitor.post(path, of="oidc:default", name="a").status_code == 403
