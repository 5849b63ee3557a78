"""S15 S30 S34 and their kind: what wrong passwords cost, and whom they keep out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select

from authsvc.audit.models import AuditLog
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.users import passwords
from authsvc.users import service as users
from authsvc.users.passwords import choose
from authsvc.wsgi import Front
from tests.support.issuer import CiIssuer
from tests.support.world import PASSWORD, World, basic
from tests.threats.credentials import Wallet

HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def guarded(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(login_attempts=5, login_attempts_per_address=50, credential_cache_seconds=3600)))
    made.user("admin", sysadmin=True)
    made.project("web", made.user("alice"))
    yield made
    made.close()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    verify = passwords.verify

    def note(password_hash: str | None, password: str) -> bool:
        seen.append(password)
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "verify", note)
    return seen


def login(world: World, name: str, password: str = PASSWORD, address: str = ELSEWHERE) -> int:
    headers = basic(name, password) | {"X-Real-IP": address}
    return world.client.get("/service/token?service=harbor-registry", headers=headers).status_code


@pytest.mark.parametrize("name", ["alice", "nobody", "alice@example.com", "robot$web+none"])
def test_one_wrong_password_is_looked_at_once(guarded: World, hashed: list[str], name: str) -> None:
    """S15: whoever repeats it, from wherever, costs no hash, no row, and no look at a directory."""
    answers = {login(guarded, name, "an old password", address) for address in (HOME, ELSEWHERE) for _ in range(50)}
    assert answers == {401}
    assert len(hashed) == 1
    with guarded.changes():
        assert db.session.scalar(select(func.count()).select_from(AuditLog).where(AuditLog.operation == "login")) == 1


def test_it_may_become_the_right_one(guarded: World) -> None:
    assert login(guarded, "alice", "what it will be soon") == 401
    chosen = choose("what it will be soon")
    with guarded.changes():
        users.set_password("t", users.get_by_name("alice"), chosen)
    assert login(guarded, "alice", "what it will be soon") == 200


def test_a_robots_secret_may_become_the_right_one(guarded: World, issuer: CiIssuer) -> None:
    wallet = Wallet(guarded, issuer)
    robot = wallet.chosen_robot()
    (found,) = guarded.api("GET", "/projects/web/robots", "admin").get_json()
    assert login(guarded, robot.name, "Another-for-it-2") == 401
    changed = guarded.api("PATCH", f"/robots/{found['id']}", "admin", json={"secret": "Another-for-it-2"})
    assert changed.status_code == 200
    assert login(guarded, robot.name, "Another-for-it-2") == 200


def test_a_robots_two_names_are_one(guarded: World, issuer: CiIssuer) -> None:
    """S30"""
    Wallet(guarded, issuer).chosen_robot()
    (found,) = guarded.api("GET", "/projects/web/robots", "admin").get_json()
    names = [found["name"], found["name"].replace("$", "-")]
    answers = [login(guarded, names[number % 2], f"Wrong-guess-{number}") for number in range(7)]
    assert answers == [401] * 5 + [429] * 2


@pytest.mark.parametrize("secret", ["Password1", "Qwerty123", "short1A", "nodigitsatALL", "Aa1" + "\u0007" * 8])
def test_a_robots_secret_is_none_that_everybody_tries(guarded: World, secret: str) -> None:
    """S30: as with people's."""
    entry = {"kind": "project", "namespace": "web", "access": [{"resource": "repository", "action": "pull"}]}
    body = {"name": "ci", "level": "project", "duration": -1, "permissions": [entry], "secret": secret}
    assert guarded.api("POST", "/robots", "admin", json=body).status_code == 400


def test_strangers_keep_nobody_out_where_he_is(guarded: World) -> None:
    """S34: from where he was let in not long ago, only what is guessed there counts."""
    assert login(guarded, "alice", address=HOME) == 200
    assert [login(guarded, "alice", f"wrong {number}") for number in range(7)] == [401] * 5 + [429] * 2
    forgotten = World(Front(guarded.front.flask.config["TIDEGATE"]))  # which remembers no password as right
    try:
        assert login(forgotten, "alice", address=ELSEWHERE) == 429
        assert login(forgotten, "alice", address=HOME) == 200
        assert login(forgotten, "alice@example.com", "mistyped", address=HOME) == 401
    finally:
        forgotten.close()


def test_but_whoever_guesses_there_is_bounded_there(guarded: World) -> None:
    assert login(guarded, "alice", address=HOME) == 200
    assert [login(guarded, "alice", f"wrong {number}", HOME) for number in range(7)] == [401] * 5 + [429] * 2


def test_what_cannot_be_a_password_is_wrong_and_nothing_else(guarded: World) -> None:
    for secret in ("\t1", "\x7f", "\u200b", "\ufffe", "x" * 5000, "\U000e0001"):
        assert login(guarded, "alice", secret) in (401, 429)
    half = guarded.client.post(
        "/c/login",
        data='{"principal": "alice", "password": "\\ud800"}',
        headers={"Origin": "https://localhost:8443"},
        content_type="application/json",
    )
    assert half.status_code in (400, 401)
