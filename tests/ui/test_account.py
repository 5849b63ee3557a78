"""My account: access tokens and logins of one's own, and of nobody else."""

from __future__ import annotations

import re

import pytest

from authsvc.rbac.roles import Role
from tests.support.visitor import Visitor, see
from tests.support.world import World, basic

TOKENS, LOGINS = "/account/tokens", "/account/logins"


@pytest.fixture
def alice(world: World) -> Visitor:
    world.user("alice")
    world.user("mallory")
    world.project("web", 1)
    world.project("hidden", 1)
    world.member("web", "alice", Role.DEVELOPER)
    visitor = Visitor(world)
    visitor.sign_in("alice")
    return visitor


def token_on(page: str) -> str:
    found = re.search(r'id="secret">(tgp_[^<]+)<', page)
    assert found is not None
    return found[1]


def forms(visitor: Visitor, path: str) -> list[str]:
    return re.findall(rf'action="({path}/\d+)"', visitor.get(path).text)


def test_a_token_is_made_used_and_revoked(world: World, alice: Visitor) -> None:
    made = alice.post(TOKENS, name="<b>laptop</b>", days="30", projects="web", action="pull", networks="")
    assert (made.status_code, made.cache_control.no_store) == (200, True)
    token = token_on(made.text)
    assert world.client.get("/api/v2.0/users/current", headers=basic("alice", token)).status_code == 200
    listed = alice.get(TOKENS)
    assert token not in listed.text
    assert "b" not in see(listed).tags
    for part in ("<b>laptop</b>", "web", "pull", "in 1 month"):
        assert part in see(listed).text
    (form,) = forms(alice, TOKENS)
    assert alice.post(form).headers["Location"] == TOKENS
    assert world.client.get("/api/v2.0/users/current", headers=basic("alice", token)).status_code == 401
    assert alice.post(form).status_code == 404
    assert "You have no access token." in alice.page(TOKENS).text


def test_what_is_left_empty_limits_nothing(world: World, alice: Visitor) -> None:
    token = token_on(alice.post(TOKENS, name="all", days="", projects="", networks="").text)
    (shown,) = world.api("GET", f"/users/{me(world)}/access-tokens", "alice").get_json()
    assert (shown.get("projects"), shown.get("actions"), shown["expires_at"][:4]) == (None, None, "0001")
    assert world.client.get("/api/v2.0/projects?name=web", headers=basic("alice", token)).get_json()


def me(world: World) -> int:
    return int(world.api("GET", "/users/current", "alice").get_json()["user_id"])


def test_what_cannot_be_is_said(world: World, alice: Visitor) -> None:
    for form, status in (
        ({"name": " "}, 400),
        ({}, 400),
        ({"name": "x" * 256}, 400),
        ({"name": "a\0b"}, 400),
        ({"name": "x", "days": "0"}, 400),
        ({"name": "x", "days": "3651"}, 400),
        ({"name": "x", "days": "soon"}, 400),
        ({"name": "x", "projects": "hidden"}, 404),
        ({"name": "x", "projects": "nothing"}, 404),
        ({"name": "x", "projects": "web " * 101}, 400),
        ({"name": "x", "action": "everything"}, 400),
        ({"name": "x", "networks": "the office"}, 400),
        ({"name": "x", "networks": "10.0.0.1 " * 51}, 400),
    ):
        refused = alice.post(TOKENS, form)
        assert (refused.status_code, refused.mimetype) == (status, "text/html"), form
        assert "alert" in refused.text
    assert forms(alice, TOKENS) == []


def test_logins_are_listed_and_ended(world: World, alice: Visitor) -> None:
    elsewhere = Visitor(world)
    elsewhere.sign_in("alice")
    asked = "/service/token?service=harbor-registry&offline_token=true&client_id=docker"
    kept = world.client.get(asked, headers=basic("alice")).get_json()
    assert kept["refresh_token"]
    assert len(forms(alice, LOGINS)) == 3
    assert "docker" in alice.page(LOGINS).text
    for form in forms(alice, LOGINS)[:2]:  # the newest first: docker's, and the one elsewhere
        assert alice.post(form).headers["Location"] == LOGINS
    assert elsewhere.get(LOGINS).status_code == 302
    body = {"grant_type": "refresh_token", "service": "harbor-registry", "client_id": "docker"}
    answer = world.client.post("/service/token", data=body | {"refresh_token": kept["refresh_token"]})
    assert answer.status_code == 401
    (own,) = forms(alice, LOGINS)
    assert alice.post(own).status_code == 303
    assert alice.get(LOGINS).headers["Location"].startswith("/sign-in")


def test_nobody_sees_or_ends_anothers(world: World, alice: Visitor) -> None:
    alice.post(TOKENS, name="laptop")
    found = [*forms(alice, TOKENS), *forms(alice, LOGINS)]
    assert len(found) == 2
    for name in ("mallory", "admin"):
        other = Visitor(world)
        other.sign_in(name)
        assert "laptop" not in other.page(TOKENS).text
        for form in found:
            assert other.post(form).status_code == 404
    assert [*forms(alice, TOKENS), *forms(alice, LOGINS)] == found
    stranger = Visitor(world)
    for path in (TOKENS, LOGINS, *found):
        assert stranger.get(path).status_code in (302, 405)
        assert stranger.post(path).status_code in (401, 405)


def test_a_token_is_no_session(alice: Visitor) -> None:
    """Whoever finds a token cannot make better ones of it."""
    token = token_on(alice.post(TOKENS, name="laptop").text)
    thief = Visitor(alice.world)
    assert thief.sign_in("alice", token).status_code in (401, 403)
    assert thief.get(TOKENS, **basic("alice", token)).status_code == 302
