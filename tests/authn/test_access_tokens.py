"""Personal access tokens: for docker and the API, limited in projects, actions, time and place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authsvc.core.db import db, utcnow
from authsvc.rbac.roles import Role
from authsvc.secrets.models import Secret
from tests.support.waiting import eventually
from tests.support.world import World, basic, granted_by

ALL = "repository:web/a:pull,push,delete"


@pytest.fixture
def web(world: World) -> World:
    world.user("alice")
    for name in ("web", "other"):
        world.project(name, 1)
        world.member(name, "alice", Role.MAINTAINER)
    world.project("hidden", 1)
    return world


def make(world: World, who: str = "alice", user_id: int = 2, **body: Any) -> str:
    response = world.api("POST", f"/users/{user_id}/access-tokens", who, json={"name": "laptop"} | body)
    assert response.status_code == 201, response.text
    token = str(response.get_json()["token"])
    assert token.startswith("tgp_")
    return token


def granted(world: World, token: str, scope: str = ALL, name: str = "alice", address: str = "") -> dict[str, list[str]] | int:
    headers = basic(name, token) | ({"X-Real-IP": address} if address else {})
    response = world.client.get(f"/service/token?scope={scope}&service=harbor-registry", headers=headers)
    return granted_by(response.get_json()["token"]) if response.status_code == 200 else response.status_code


def test_without_limits_it_is_as_good_as_the_password(web: World) -> None:
    token = make(web)
    assert granted(web, token) == {"web/a": ["pull", "push", "delete"]}
    assert granted(web, token, name="alice@example.com") == {"web/a": ["pull", "push", "delete"]}
    assert web.api("GET", "/users/current", headers=basic("alice", token)).get_json()["username"] == "alice"
    assert web.api("POST", "/projects", headers=basic("alice", token), json={"project_name": "new"}).status_code == 201
    for other in ("admin", "nobody", "robot$x"):
        assert granted(web, token, name=other) == 401


@pytest.mark.parametrize(
    ("limits", "web_a", "other_a"),
    [
        ({"actions": ["pull"]}, ["pull"], ["pull"]),
        ({"projects": ["web"]}, ["pull", "push", "delete"], []),
        ({"projects": ["web"], "actions": ["push"]}, ["pull", "push"], []),
        ({"projects": ["web", "other"], "actions": ["pull", "delete"]}, ["pull", "delete"], ["pull", "delete"]),
        ({"actions": ["read"]}, [], []),
    ],
)
@pytest.mark.parametrize("who", ["alice", "admin"])
def test_limits_hold_for_everybody(web: World, limits: dict[str, Any], web_a: list[str], other_a: list[str], who: str) -> None:
    token = make(web, who, 2 if who == "alice" else 1, **limits)
    assert granted(web, token, name=who) == {"web/a": web_a}
    assert granted(web, token, ALL.replace("web/", "other/"), name=who) == {"other/a": other_a}


@pytest.mark.parametrize("who", ["alice", "admin"])
def test_a_limited_token_cannot_widen_itself(web: World, who: str) -> None:
    user_id = 2 if who == "alice" else 1
    headers = basic(who, make(web, who, user_id, projects=["web"], actions=["read", "pull", "push", "write", "delete"]))
    for method, path, body in (
        ("POST", f"/users/{user_id}/access-tokens", {"name": "wider"}),
        ("PUT", f"/users/{user_id}/password", {"old_password": "correct horse battery", "new_password": "something longer"}),
        ("GET", f"/users/{user_id}/refresh-tokens", None),
        ("POST", "/projects", {"project_name": "new"}),
        ("PUT", "/projects/other", {"metadata": {"public": "true"}}),
        ("PUT", "/configurations", {"read_only": True}),
        ("GET", "/users", None),
    ):
        assert web.api(method, path, headers=headers, json=body).status_code == 403, (method, path)
    assert web.api("GET", "/projects/web", headers=headers).status_code == 200
    offline = web.client.get("/service/token?service=harbor-registry&offline_token=true", headers=headers)
    assert "refresh_token" not in offline.get_json()


@pytest.mark.parametrize("who", ["alice", "admin"])
def test_no_token_makes_credentials(web: World, who: str) -> None:
    """Else one that ends tomorrow, or may be used from one place only, would be as good as one without end."""
    user_id = 2 if who == "alice" else 1
    login = web.client.get("/service/token?service=harbor-registry&offline_token=true", headers=basic(who))
    refresh = login.get_json()["refresh_token"]
    token = make(web, who, user_id)
    for headers in (basic(who, token), basic(who, refresh), basic("", refresh)):
        for method, path, body in (
            ("POST", f"/users/{user_id}/access-tokens", {"name": "another", "days": None}),
            ("PUT", f"/users/{user_id}/password", {"old_password": "correct horse battery", "new_password": "something longer"}),
            ("PUT", "/users/2/password", {"new_password": "something longer"}),
            ("POST", f"/users/{user_id}/cli_secret", None),
        ):
            refused = web.api(method, path, headers=headers, json=body)
            assert refused.status_code == 403, (method, path)
        opens = 403 if headers != basic(who, token) else 200
        assert web.api("GET", "/users/current", headers=headers).status_code == opens


def test_its_use_on_the_api_is_noted_too(web: World) -> None:
    token = make(web)
    assert web.api("GET", "/users/current", headers=basic("alice", token) | {"X-Real-IP": "10.9.8.7"}).status_code == 200
    web.front._token._uses.flush()
    (shown,) = web.api("GET", "/users/2/access-tokens", "alice").get_json()
    assert shown["last_address"] == "10.9.8.7"


def test_from_where_it_may_be_used(web: World) -> None:
    token = make(web, networks=["10.1.0.0/16", "2001:db8::/32"])
    for address in ("10.1.2.3", "::ffff:10.1.9.9", "2001:db8::7"):
        assert granted(web, token, address=address) == {"web/a": ["pull", "push", "delete"]}
    for address in ("10.2.0.1", "127.0.0.1", "2001:db9::1", "nonsense"):
        assert granted(web, token, address=address) == 403
    bad = web.api("POST", "/users/2/access-tokens", "alice", json={"name": "x", "networks": ["10.0.0.0/99"]})
    assert bad.status_code == 400


def test_expired_and_revoked_ones_are_out_at_once(web: World) -> None:
    first, second = make(web, days=1), make(web, days=None)
    without_end, in_a_day = web.api("GET", "/users/2/access-tokens", "alice").get_json()
    assert "expires_at" in in_a_day
    assert "expires_at" not in without_end or without_end["expires_at"].startswith("0001-")
    assert granted(web, first) == granted(web, second) != 401
    with web.changes():
        row = db.session.query(Secret).order_by(Secret.id).first()
        assert row is not None
        row.expires_at = end = utcnow() + timedelta(seconds=1)
    assert granted(web, first) != 401 or utcnow() >= end
    eventually(lambda: granted(web, first) == 401)
    assert utcnow() >= end
    listed = web.api("GET", "/users/2/access-tokens", "alice").get_json()
    assert len(listed) == 1
    assert web.api("DELETE", f"/users/2/access-tokens/{listed[0]['id']}", "alice").status_code == 200
    assert granted(web, second) == 401


def test_they_end_with_the_password_and_the_account(web: World) -> None:
    token = make(web)
    change = {"old_password": "correct horse battery", "new_password": "something else entirely"}
    assert web.api("PUT", "/users/2/password", "alice", json=change).status_code == 200
    assert granted(web, token) == 401


def test_what_is_shown_of_them(web: World) -> None:
    token = make(web, projects=["web"], actions=["pull"], networks=["127.0.0.1"], days=7)
    assert granted(web, token, address="127.0.0.1") == {"web/a": ["pull"]}
    web.front._token._uses.flush()
    (shown,) = web.api("GET", "/users/2/access-tokens", "alice").get_json()
    assert (shown["name"], shown["projects"], shown["actions"]) == ("laptop", ["web"], ["pull"])
    assert (shown["networks"], shown["last_address"]) == (["127.0.0.1/32"], "127.0.0.1")
    assert shown["last_used_at"]
    assert token not in str(shown)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"actions": []}, 400),
        ({"actions": ["admin"]}, 400),
        ({"projects": ["nothing"]}, 404),
        ({"projects": ["hidden"]}, 404),
        ({"days": 0}, 422),
        ({"name": ""}, 422),
    ],
)
def test_what_cannot_be_asked_for(web: World, body: dict[str, Any], status: int) -> None:
    response = web.api("POST", "/users/2/access-tokens", "alice", json={"name": "x"} | body)
    assert response.status_code == status, response.text


def test_nobody_makes_one_for_somebody_else(web: World) -> None:
    assert web.api("POST", "/users/2/access-tokens", "admin", json={"name": "x"}).status_code == 403


def test_noise_that_looks_like_one_is_a_password_and_wrong(web: World) -> None:
    for text in ("tgp_", "tgp_" + "0" * 49, "tgs_whatever"):
        assert granted(web, text) == 401
