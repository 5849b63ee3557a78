"""Sessions of the pages, self registration, and passwords that somebody else made."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from authsvc.core.db import db
from authsvc.users import service as users
from authsvc.users.models import User
from tests.support.world import PASSWORD, World

OWN = {"Origin": "https://localhost:8443"}


def browser(world: World) -> Client:
    return Client(world.front)


def log_in(client: Client, name: str, password: str = PASSWORD, **headers: str) -> TestResponse:
    return client.post("/c/login", data={"principal": name, "password": password}, headers=OWN | headers)


def test_log_in_look_and_log_out(world: World) -> None:
    client = browser(world)
    response = log_in(client, "admin")
    cookie = response.headers["Set-Cookie"]
    assert response.status_code == 200
    for part in ("sid=tgs_", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert client.get("/api/v2.0/users/current", base_url="https://localhost").get_json()["username"] == "admin"
    client.post("/c/log_out", headers=OWN, base_url="https://localhost")
    assert client.get("/api/v2.0/users/current", base_url="https://localhost").status_code == 401


def test_wrong_passwords_and_robots_get_none(world: World) -> None:
    for name, password in (("admin", "wrong"), ("nobody", "wrong"), ("", "")):
        response = log_in(browser(world), name, password)
        assert response.status_code in (400, 401)
        assert "Set-Cookie" not in response.headers


def test_basic_answers_set_no_cookie(world: World) -> None:
    assert "Set-Cookie" not in world.api("GET", "/users/current", "admin").headers


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_sites_can_change_nothing(world: World, origin: dict[str, str]) -> None:
    client = browser(world)
    assert client.post("/c/login", data={"principal": "admin", "password": PASSWORD}, headers=origin).status_code == 403
    log_in(client, "admin")
    made = client.post("/api/v2.0/projects", json={"project_name": "x"}, headers=origin, base_url="https://localhost")
    assert made.status_code == 403
    ours = client.post("/api/v2.0/projects", json={"project_name": "x"}, headers=OWN, base_url="https://localhost")
    assert ours.status_code == 201


def test_listed_and_ended_by_hand_and_with_the_password(world: World) -> None:
    first, second = browser(world), browser(world)
    log_in(first, "admin", **{"User-Agent": "first"})
    log_in(second, "admin", **{"User-Agent": "second"})
    listed = world.api("GET", "/users/1/sessions", "admin").get_json()
    assert [entry["name"] for entry in listed] == ["second", "first"]
    assert world.api("DELETE", f"/users/1/sessions/{listed[1]['id']}", "admin").status_code == 200
    assert first.get("/api/v2.0/users/current", base_url="https://localhost").status_code == 401
    assert second.get("/api/v2.0/users/current", base_url="https://localhost").status_code == 200
    with world.changes():
        users.set_password("test", users.get(1), "something else entirely")
    assert second.get("/api/v2.0/users/current", base_url="https://localhost").status_code == 401


def test_a_session_is_no_password(world: World) -> None:
    client = browser(world)
    text = log_in(client, "admin").headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    for name in ("admin", "", "<token>"):
        assert world.token(who=None, service="harbor-registry").status_code == 401
        response = world.client.get("/service/token?service=harbor-registry", auth=(name, text))
        assert response.status_code == 401


def test_a_generated_password_is_changed_first(world: World) -> None:
    with world.changes():
        users.set_password("test", users.get(1), "made by somebody else", temporary=True)
    client = browser(world)
    assert log_in(client, "admin", "made by somebody else").status_code == 200
    refused = client.get("/api/v2.0/users", base_url="https://localhost")
    assert refused.status_code == 403
    assert "change the generated password first" in refused.text
    assert client.get("/api/v2.0/users/current", base_url="https://localhost").status_code == 200
    change = {"old_password": "made by somebody else", "new_password": "my own and longer"}
    changed = client.put("/api/v2.0/users/1/password", json=change, headers=OWN, base_url="https://localhost")
    assert changed.status_code == 200
    assert log_in(client, "admin", "my own and longer").status_code == 200
    assert client.get("/api/v2.0/users", base_url="https://localhost").status_code == 200


# -- self registration -----------------------------------------------------------------------------------------------

NEW = {"username": "carol", "password": "long and not common", "email": "carol@example.com", "realname": "Carol"}


def sign_up(world: World, **changes: Any) -> TestResponse:
    return browser(world).post("/c/register", json=NEW | changes, headers=OWN)


def test_off_unless_configured(world: World) -> None:
    assert sign_up(world).status_code == 403
    assert world.api("POST", "/users", None, json=NEW).status_code == 401


def test_whoever_registers_is_an_ordinary_user(world: World) -> None:
    world.api("PUT", "/configurations", "admin", json={"self_registration": True})
    assert world.api("GET", "/systeminfo").get_json()["self_registration"] is True
    assert sign_up(world, sysadmin=True, sysadmin_flag=True, id=1, disabled=False).status_code == 201
    with world.changes():
        carol = users.get_by_name("carol")
        assert (carol.sysadmin, carol.disabled, carol.id) == (False, False, 2)
    assert sign_up(world).status_code == 409
    for change in ({"username": "a b"}, {"password": "short"}, {"email": "none"}, {"password": "password123"}):
        assert sign_up(world, **({"username": "dave", "email": "d@example.com"} | change)).status_code == 400
    assert browser(world).post("/c/register", json=NEW, headers={"Origin": "https://evil.example.com"}).status_code == 403


def test_with_approval_an_administrator_enables_first(world: World) -> None:
    world.api("PUT", "/configurations", "admin", json={"self_registration": True, "self_registration_approval": True})
    assert sign_up(world).get_json()["waits_for_approval"] is True
    assert log_in(browser(world), "carol", NEW["password"]).status_code == 403
    assert world.api("PUT", "/users/2/disabled", "admin", json={"disabled": False}).status_code == 200
    assert log_in(browser(world), "carol", NEW["password"]).status_code == 200


@pytest.mark.parametrize("password", ["password", "12345678", "QWERTYUIOP", "iloveyou", "newcomer", "Newcomer"])
def test_common_passwords_are_refused(world: World, password: str) -> None:
    response = world.api("POST", "/users", "admin", json={"username": "newcomer", "password": password, "email": "n@example.com"})
    assert response.status_code == 400
    assert "everybody tries first" in response.text
    with world.changes():
        assert db.session.query(User).count() == 1
