"""Whoever guesses takes no time from machines: processes that sign tokens pass passwords on, and refuse nothing for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client, TestResponse

from authsvc.core.settings import Settings
from authsvc.users import passwords
from authsvc.wsgi import Front
from tests.support.world import World, basic
from tests.threats.credentials import Wallet

pytestmark = pytest.mark.once  # about processes, whatever the database is

SERVICE = {"service": "harbor-registry"}
Ask = Callable[[Client, str, str], TestResponse]


@pytest.fixture
def signing(town: World) -> Iterator[World]:
    """The process that signs tokens, beside the one of the API; it has kept the one password that it looks at in this second."""
    front = Front(town.front.flask.config["TIDEGATE"], passwords_elsewhere=True)
    front.flask.extensions["tidegate"].authentication._keeps_again = float("inf")
    made = World(front)
    yield made
    made.close()


def get(client: Client, name: str, secret: str) -> TestResponse:
    return client.get("/service/token", query_string=SERVICE, headers=basic(name, secret))


def post(client: Client, name: str, secret: str) -> TestResponse:
    form = {"grant_type": "password", "username": name, "password": secret, "client_id": "test"} | SERVICE
    return client.post("/service/token", data=urlencode(form), content_type="application/x-www-form-urlencoded")


def at_the_gate(client: Client, name: str, secret: str) -> TestResponse:
    asked = {"X-Gate-Method": "GET", "X-Gate-Uri": "/v2/", "X-Real-IP": "192.0.2.7"}
    return client.get("/internal/gate", headers=basic(name, secret) | asked)


@pytest.mark.parametrize(("ask", "where"), [(get, "@password"), (post, "@password"), (at_the_gate, "@password_at_gate")])
@pytest.mark.parametrize(("name", "secret"), [("alice", "correct horse battery"), ("alice", "wrong"), ("robot$nobody", "wrong")])
def test_a_password_is_passed_on(
    signing: World, monkeypatch: pytest.MonkeyPatch, ask: Ask, where: str, name: str, secret: str
) -> None:
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("it was looked at"))
    client = Client(behind(signing))
    answer = ask(client, name, secret)
    assert answer.headers["X-Accel-Redirect"] == where
    assert answer.data == b""
    assert "X-Gate-Authorization" not in answer.headers


def behind(world: World) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """As nginx asks, of a client somewhere."""

    def ask(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["HTTP_X_REAL_IP"] = "192.0.2.7"
        return world.nginx(environ, start_response)

    return ask


@pytest.mark.parametrize("ask", [get, post])
def test_who_does_not_come_through_nginx_cannot_be_passed_on(signing: World, ask: Ask) -> None:
    answer = ask(Client(signing.front), "alice", "correct horse battery")
    assert answer.status_code == 200
    assert "X-Accel-Redirect" not in answer.headers
    assert at_the_gate(Client(signing.front), "alice", "correct horse battery").status_code == 204


def test_machines_are_not_passed_on(signing: World, wallet: Wallet) -> None:
    client = Client(behind(signing))
    for shown in (wallet.robot(), wallet.access_token(), wallet.refresh_token()):
        answer = client.get("/service/token", query_string=SERVICE, headers=shown.headers)
        assert (answer.status_code, answer.headers.get("X-Accel-Redirect")) == (200, None)
    assert get(client, "alice", "tgp_" + "0" * 49).headers.get("X-Accel-Redirect") is not None  # no checksum: a password


def test_now_and_then_one_is_looked_at_and_known_from_then_on(make_settings: Callable[..., Settings]) -> None:
    world = World(Front(make_settings(), passwords_elsewhere=True))
    world.user("admin", sysadmin=True)
    client = Client(behind(world))
    assert get(client, "admin", "correct horse battery").status_code == 200
    world.front.flask.extensions["tidegate"].authentication._keeps_again = float("inf")
    answer = get(client, "admin", "correct horse battery")
    assert (answer.status_code, answer.headers.get("X-Accel-Redirect")) == (200, None)
    assert get(client, "admin", "wrong").headers["X-Accel-Redirect"] == "@password"
    world.close()


def test_more_guesses_than_can_wait_cost_nothing(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a place in what is counted: it is not looked at."""
    full = threading.BoundedSemaphore(1)
    monkeypatch.setattr(passwords, "_places", full)
    with full:
        for ask in (get, post):
            refused = ask(town.client, "alice", "wrong")
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "2"
        assert town.api("GET", "/users/current", "alice").status_code == 429
    assert town.api("GET", "/users/current", "alice").status_code == 200
    assert town.api("GET", "/system/login-failures", "admin").get_json() == []
