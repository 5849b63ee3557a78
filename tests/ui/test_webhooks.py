"""The pages of a project's webhooks."""

from __future__ import annotations

import re

import pytest

from authsvc.jobs import service as jobs
from authsvc.rbac.roles import Role
from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/projects/team/webhooks"
FORM = {
    "name": "chat",
    "kind": "http",
    "address": "https://hooks.example.com/x",
    "payload_format": "CloudEvents",
    "event": "PUSH_ARTIFACT",
}
SECRET = "what signs them"


@pytest.fixture
def boss(world: World) -> Visitor:
    world.project("team", 1)
    for role in Role:
        world.user(role.label)
        world.member("team", role.label, role)
    return visitor(world, "projectAdmin")


def visitor(world: World, name: str) -> Visitor:
    one = Visitor(world)
    one.sign_in(name)
    return one


def added(boss: Visitor, **changes: str) -> str:
    """The page of a new one."""
    assert boss.post(THERE, FORM | changes).headers["Location"] == THERE
    return str(re.findall(rf'href="({THERE}/\d+)"', boss.get(THERE).text)[-1])


def test_one_is_made_tried_switched_off_and_deleted(world: World, boss: Visitor) -> None:
    path = added(boss, auth_header="Bearer unseen", secret=SECRET)
    (policy,) = world.api("GET", "/projects/team/webhook/policies", "admin").get_json()
    assert policy["targets"][0]["payload_format"] == "CloudEvents"
    assert (policy["enabled"], policy["event_types"]) == (True, ["PUSH_ARTIFACT"])
    for page in (boss.get(THERE), boss.get(path)):
        assert "hooks.example.com" in page.text
        assert "unseen" not in page.text
        assert SECRET not in page.text
    assert boss.post(path, action="test").headers["Location"] == path
    shown = boss.page(path)
    (delivery,) = [link for link in shown.links if "/deliveries/" in link]
    assert "PUSH_ARTIFACT" in boss.page(delivery).text
    assert boss.post(path, action="disable").status_code == 303
    assert not world.api("GET", "/projects/team/webhook/policies", "admin").get_json()[0]["enabled"]
    assert boss.post(path, action="enable").status_code == 303
    (again,) = world.api("GET", "/projects/team/webhook/policies", "admin").get_json()
    assert again["targets"] == policy["targets"], "the secrets are still there"
    assert boss.post(path, action="delete").headers["Location"] == THERE
    assert boss.get(path).status_code == 404
    assert "Nobody is told" in boss.page(THERE).text


def test_what_cannot_be_is_said(world: World, boss: Visitor) -> None:
    path = added(boss)
    for changes, status in (
        ({}, 409),
        ({"name": ""}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": "a\0"}, 400),
        ({"name": "x", "kind": "carrier pigeon"}, 400),
        ({"name": "x", "address": "nothing"}, 400),
        ({"name": "x", "address": "http://169.254.169.254/latest"}, 400),
        ({"name": "x", "event": "EVERYTHING"}, 400),
        ({"name": "x", "event": ""}, 400),
        ({"name": "x", "payload_format": "XML"}, 400),
        ({"name": "x", "secret": "x" * 300}, 400),
    ):
        refused = boss.post(THERE, FORM | changes)
        assert (refused.status_code, refused.mimetype) == (status, "text/html"), changes
        assert "alert" in refused.text
    assert boss.post(path, action="explode").status_code == 400
    assert len(world.api("GET", "/projects/team/webhook/policies", "admin").get_json()) == 1


def test_what_others_wrote_stays_text(boss: Visitor) -> None:
    hostile = "<script>alert(1)</script><img src=x>"
    path = added(boss, name=hostile)
    for page in (boss.page(THERE), boss.page(path)):
        assert (page.foul, "img" in page.tags) == ([], False)
        assert hostile in page.text


@pytest.mark.parametrize("role", [Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST])
def test_others_change_nothing(world: World, boss: Visitor, role: Role) -> None:
    path, one = added(boss), visitor(world, role.label)
    may_see = role is Role.MAINTAINER
    for seen in (THERE, path):
        assert one.get(seen).status_code == (200 if may_see else 403)
        assert "form method" not in one.get(seen).text.partition("<main")[2]
    assert one.post(THERE, FORM | {"name": "mine"}).status_code == 403
    for action in ("test", "disable", "enable", "delete"):
        assert one.post(path, action=action).status_code == 403
        assert Visitor(world).post(path, action=action).status_code == 401
    (policy,) = world.api("GET", "/projects/team/webhook/policies", "admin").get_json()
    assert policy["enabled"]


def test_what_is_of_another_project_is_nobodys_here(world: World, boss: Visitor) -> None:
    world.project("other", 1)
    admin = visitor(world, "admin")
    assert admin.post("/projects/other/webhooks", FORM).status_code == 303
    (policy,) = world.api("GET", "/projects/other/webhook/policies", "admin").get_json()
    theirs = f"{THERE}/{policy['id']}"
    assert boss.get(theirs).status_code == 404
    for action in ("test", "disable", "delete"):
        assert boss.post(theirs, action=action).status_code == 404
    ours = added(boss)
    with world.changes():
        strange = jobs.launch("RECONCILE", "MANUAL").id
    assert boss.get(f"{ours}/deliveries/{strange}").status_code == 404
    assert see(boss.get(THERE)).foul == []
