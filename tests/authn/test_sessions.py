"""Sessions of the pages, self registration, and passwords that somebody else made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from authsvc.authn import session
from authsvc.core.db import db, utcnow
from authsvc.core.settings import Settings
from authsvc.secrets import service as secrets
from authsvc.users import service as users
from authsvc.users.models import User
from authsvc.users.passwords import choose
from authsvc.wsgi import Front
from tests.support.world import PASSWORD, World, basic

OWN = {"Origin": "https://localhost:8443"}


def browser(world: World) -> Client:
    return Client(world.nginx)


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
        chosen = choose("something else entirely")
        users.set_password("test", users.get(1), chosen)
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
        chosen = choose("made by somebody else")
        users.set_password("test", users.get(1), chosen, temporary=True)
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


def test_a_generated_password_opens_nothing_but_its_own_change(world: World) -> None:
    """By any way to show it, for anybody (CVE-2026-4404 and VU#577436 are about those that may stay)."""
    world.project("web", 1)
    world.user("other")
    with world.changes():
        chosen = choose("made by somebody else")
        users.set_password("test", users.get(1), chosen, temporary=True)
    headers = basic("admin", "made by somebody else")
    form = {"grant_type": "password", "username": "admin", "password": "made by somebody else", "service": "harbor-registry"}
    for refused in (
        world.client.get("/service/token?service=harbor-registry&scope=repository:web/a:pull", headers=headers),
        world.client.get("/service/token?service=harbor-registry&offline_token=true", headers=headers),
        world.client.post("/service/token", data=form),
        world.client.get("/v2/_catalog", headers=headers),
        world.api("GET", "/projects", headers=headers),
        world.api("GET", "/users", headers=headers),
        world.api("POST", "/users/1/access-tokens", headers=headers, json={"name": "x"}),
        world.api("PUT", "/users/2/password", headers=headers, json={"new_password": "taken over by an admin"}),
    ):
        assert refused.status_code == 403, refused.request.path
        assert "change it first" in refused.text or "change the generated password first" in refused.text
    assert world.client.get("/service/token?service=harbor-registry", headers=basic("admin", "wrong")).status_code == 401
    change = {"old_password": "made by somebody else", "new_password": "my own and longer"}
    assert world.api("PUT", "/users/1/password", headers=headers, json=change).status_code == 200
    own = basic("admin", "my own and longer")
    assert world.client.get("/service/token?service=harbor-registry", headers=own).status_code == 200


def test_the_first_administrator_may_start_with_what_the_first_start_showed(world: World) -> None:
    """It was made on his own host. Only the pages insist on another one; anybody who sets it again makes it another's."""
    with world.changes():
        users.get(1).password_temporary = True
    assert world.token("repository:library/a:pull", who="admin").status_code == 200
    assert world.api("GET", "/users", "admin").status_code == 200
    client = browser(world)
    assert log_in(client, "admin").get_json()["password_change_required"] is True
    assert client.get("/api/v2.0/users", base_url="https://localhost").status_code == 403


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (secrets, session):
        monkeypatch.setattr(module, "utcnow", made)
    monkeypatch.setattr("authsvc.authn.authenticators.time.time", lambda: made().timestamp())
    return made


class Clock:
    def __init__(self) -> None:
        self.now = utcnow()

    def __call__(self) -> datetime:
        return self.now


def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_its_hours(world: World, clock: Clock) -> None:
    used, idle, polling = browser(world), browser(world), browser(world)
    for client in (used, idle, polling):
        log_in(client, "admin")

    def status(client: Client, **headers: str) -> int:
        return client.get("/api/v2.0/users/current", base_url="https://localhost", headers=headers).status_code

    polls = {"X-Harbor-No-Session-Renewal": "true"}
    for alive in (True, True, True, False, False):
        clock.now += timedelta(minutes=15)
        assert status(used) == 200
        assert status(polling, **polls) == (200 if alive else 401), "what a page asks by itself keeps nobody logged in"
    assert status(idle) == 401
    for _ in range(44):
        clock.now += timedelta(minutes=15)
        status(used)
    assert status(used) == 401, "twelve hours are the end"


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


def registering(make_settings: Callable[..., Settings], **changes: object) -> World:
    made = World(Front(make_settings(**changes)))
    made.user("admin", sysadmin=True)
    made.api("PUT", "/configurations", "admin", json={"self_registration": True})
    return made


def test_registrations_from_one_address_are_bounded(make_settings: Callable[..., Settings]) -> None:
    world = registering(make_settings, registrations_per_address=3)

    def answer(number: int, address: str) -> TestResponse:
        body = NEW | {"username": f"new{number}", "email": f"new{number}@example.com"}
        return browser(world).post("/c/register", json=body, headers=OWN | {"X-Real-IP": address})

    answers = [answer(number % 3, "10.0.0.1") for number in range(5)]
    assert [one.status_code for one in answers] == [201, 201, 201, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 3601
    assert answer(9, "10.0.0.2").status_code == 201, "others go on"
    one_host = [answer(20 + number, f"2001:db8::{number}").status_code for number in range(4)]
    assert one_host == [201, 201, 201, 429], "a host has as many addresses as it likes"
    assert log_in(browser(world), "admin").status_code == 200
    world.close()


def test_as_many_at_once_as_one_after_the_other(make_settings: Callable[..., Settings]) -> None:
    world = registering(make_settings, registrations_per_address=3)
    answers: list[int] = []
    barrier = threading.Barrier(12)

    def register(number: int) -> None:
        barrier.wait()
        answers.append(sign_up(world, username=f"new{number}", email=f"new{number}@example.com").status_code)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] * 3 + [429] * 9
    world.close()


def test_who_is_there_costs_an_attempt_to_learn(make_settings: Callable[..., Settings]) -> None:
    """Nothing is said of names and addresses to whoever makes no real attempt, and of a real one not which of them is taken."""
    world = registering(make_settings, registrations_per_address=2)
    for name, email in (("admin", "x@example.com"), ("somebody", "admin@example.com"), ("somebody", "x@example.com")):
        refused = sign_up(world, username=name, email=email, password="short")
        assert refused.status_code == 400
        assert "a password has" in refused.text
    taken = [sign_up(world, username="admin"), sign_up(world, email="ADMIN@example.com")]
    assert [one.status_code for one in taken] == [409, 409]
    assert taken[0].get_json() == taken[1].get_json()
    assert sign_up(world).status_code == 429
    world.close()


@pytest.mark.parametrize("password", ["password", "12345678", "QWERTYUIOP", "iloveyou", "newcomer", "Newcomer"])
def test_common_passwords_are_refused(world: World, password: str) -> None:
    response = world.api("POST", "/users", "admin", json={"username": "newcomer", "password": password, "email": "n@example.com"})
    assert response.status_code == 400
    assert "everybody tries first" in response.text
    with world.changes():
        assert db.session.query(User).count() == 1
