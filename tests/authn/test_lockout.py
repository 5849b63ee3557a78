"""Guessing is bounded, exactly; nobody learns which names exist; machines and sessions go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event

from authsvc.authn.onboarding import Proof, onboard
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.users import passwords
from authsvc.users import service as users
from authsvc.wsgi import Front
from tests.support.world import PASSWORD, World, basic


@pytest.fixture
def limited(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(login_attempts=3, login_attempts_per_address=6, login_window_seconds=60)))
    made.user("admin", sysadmin=True)
    made.user("alice")
    yield made
    made.close()


def login(world: World, name: str, password: str, address: str = "10.0.0.1") -> int:
    headers = basic(name, password) | {"X-Real-IP": address}
    return world.client.get("/service/token?service=harbor-registry", headers=headers).status_code


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_different_wrong_passwords_lock_the_account_for_a_while(limited: World, name: str) -> None:
    assert [login(limited, name, f"wrong {number}") for number in range(5)] == [401, 401, 401, 429, 429]
    refused = limited.client.get("/service/token?service=harbor-registry", headers=basic(name, "another"))
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert login(limited, "admin", PASSWORD) == 200, "others go on"


def test_a_client_that_repeats_one_wrong_password_counts_once(limited: World) -> None:
    assert {login(limited, "alice", "an old password") for _ in range(20)} == {401}
    assert login(limited, "alice", PASSWORD) == 200


def test_calls_without_credentials_count_nothing(limited: World) -> None:
    for _ in range(20):
        assert limited.client.get("/service/token?service=harbor-registry").status_code == 401
    assert limited.api("GET", "/system/login-failures", "admin").get_json() == []


def test_one_address_over_many_accounts(limited: World) -> None:
    answers = [login(limited, f"user-{number}", "the same for all") for number in range(8)]
    assert answers == [401] * 6 + [429] * 2
    assert login(limited, "alice", PASSWORD, address="10.0.0.2") == 200


def test_name_and_email_are_one_account(limited: World) -> None:
    answers = [login(limited, name, f"wrong {name}") for name in ("alice", "ALICE", "alice@example.com", "Alice@example.com")]
    assert answers == [401, 401, 401, 429]


def test_secrets_of_ours_and_what_is_remembered_go_on(limited: World) -> None:
    token = limited.api("POST", "/users/2/access-tokens", "alice", json={"name": "x"}).get_json()["token"]
    for number in range(4):
        login(limited, "alice", f"wrong {number}")
    assert login(limited, "alice", "unknown") == 429
    assert login(limited, "alice", token) == 200
    assert login(limited, "alice", PASSWORD) == 200, "it was right a moment ago"


def test_an_old_password_that_has_to_be_shown_is_a_guess_as_well(limited: World) -> None:
    """Else a session or password that is remembered would be a way to find it out."""
    assert limited.api("GET", "/users/current", "alice").status_code == 200
    change = {"new_password": "another that is long"}

    def changed(old: str) -> int:
        return limited.api("PUT", "/users/2/password", "alice", json=change | {"old_password": old}).status_code

    assert [changed("the same again") for _ in range(5)] == [403] * 5, "it counts once"
    assert [changed(f"wrong {number}") for number in range(3)] == [403, 403, 429]
    assert changed(PASSWORD) == 429, "the right one is not looked at either"
    assert login(limited, "alice", "wrong at login") == 429
    failures = {row["account"]: row["failures"] for row in limited.api("GET", "/system/login-failures", "admin").get_json()}
    assert failures == {"alice": 3}
    assert limited.api("DELETE", "/system/login-failures?name=alice", "admin").status_code == 200
    assert changed(PASSWORD) == 200
    assert limited.api("GET", "/system/login-failures", "admin").get_json() == []


def test_of_ipv6_a_network_is_one_source(limited: World) -> None:
    answers = [login(limited, f"user-{number}", "x", address=f"2001:db8:0:7::{number:x}") for number in range(8)]
    assert answers == [401] * 6 + [429] * 2
    assert login(limited, "alice", PASSWORD, address="2001:db8:0:8::1") == 200
    (address,) = {row["address"] for row in limited.api("GET", "/system/login-failures", "admin").get_json()}
    assert address == "2001:db8:0:7::/64"
    assert limited.api("DELETE", f"/system/login-failures?name={address}", "admin").status_code == 200
    assert login(limited, "user-9", "x", address="2001:db8:0:7::9") == 401


def test_seen_and_cleared_by_administrators(limited: World) -> None:
    for number in range(4):
        login(limited, "alice", f"wrong {number}")
    login(limited, "a password typed as a name", "x")
    rows = {row["account"]: row for row in limited.api("GET", "/system/login-failures", "admin").get_json()}
    assert (rows["alice"]["failures"], rows["alice"]["address"]) == (3, "10.0.0.1")
    assert "typed" not in str(rows)
    assert limited.api("DELETE", "/system/login-failures?name=alice", "admin").status_code == 200
    assert login(limited, "alice", PASSWORD) == 200
    assert limited.api("DELETE", "/system/login-failures?name=alice", "admin").status_code == 404


def test_it_lasts_over_a_restart(limited: World) -> None:
    for number in range(3):
        login(limited, "alice", f"wrong {number}")
    settings = limited.front.flask.config["TIDEGATE"]
    again = World(Front(settings))
    assert login(again, "alice", PASSWORD) == 429
    again.close()


def test_exact_with_many_at_once(limited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 different guesses at once, as many as the server would take: three of them are looked at."""
    looked_at = []

    def verify(password_hash: str | None, password: str) -> bool:
        looked_at.append(password)
        return False

    monkeypatch.setattr(passwords, "verify", verify)
    answers: list[int] = []
    barrier = threading.Barrier(20)

    def guess(first: int) -> None:
        barrier.wait()
        answers.extend(login(limited, "alice", f"guess {first + number}", f"10.0.{first}.1") for number in range(10))

    threads = [threading.Thread(target=guess, args=(10 * number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 200
    assert (len(looked_at), answers.count(401)) == (3, 3)
    assert answers.count(429) == 197


def test_a_wrong_password_costs_as_many_queries_whoever_it_is_for(limited: World) -> None:
    """What names could be told by on any machine: each query that there is for some and not for others takes its time."""
    limited.user("dave")
    with limited.changes():
        onboard(Proof("oidc", "default", "subject", "olga"))
        users.set_disabled("test", users.get_by_name("dave"), True)
        engine = db.engine
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "login_locks" not in statement:  # the first ever to fall into one makes it
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    counts: dict[str, int] = {}
    for name in ("warm-up", "alice", "dave", "olga", "nobody"):
        asked.clear()
        assert login(limited, name, "wrong", address=f"10.0.0.{len(counts) + 1}") == 401
        counts[name] = len(asked)
    event.remove(engine, "before_cursor_execute", note)
    del counts["warm-up"]
    assert len({*counts.values()}) == 1, counts


def test_unknown_and_known_names_answer_alike(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, body and headers are the same, and so is what takes time: one hash (the seconds are for `make bench`)."""
    world = World(Front(make_settings(login_attempts=10_000, login_attempts_per_address=10_000)))
    world.user("admin", sysadmin=True)
    world.user("alice")
    hashed: list[str] = []
    hasher = passwords._hasher

    class Noting:
        def verify(self, hash_: str, password: str) -> bool:
            hashed.append(password)
            return hasher.verify(hash_, password)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    monkeypatch.setattr(passwords, "_hasher", Noting())
    answers = set()
    for number in range(20):
        for name in ("alice", "nobody"):
            response = world.client.get("/service/token?service=harbor-registry", headers=basic(name, f"{number} of {name}"))
            answers.add((response.status_code, response.text, str(response.headers)))
    world.close()
    assert len(answers) == 1
    assert hashed == [f"{number} of {name}" for number in range(20) for name in ("alice", "nobody")]
