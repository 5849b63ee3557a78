"""Guessing is bounded, exactly; nobody learns which names exist; machines and sessions go on."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from authsvc.core.settings import Settings
from authsvc.users import passwords
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


@pytest.mark.slow
def test_unknown_and_known_names_answer_alike(make_settings: Callable[..., Settings]) -> None:
    """Status, body and headers are the same; so is the time, within what the machine's own noise allows."""
    world = World(Front(make_settings(login_attempts=10_000, login_attempts_per_address=10_000)))
    world.user("admin", sysadmin=True)
    world.user("alice")
    times: dict[str, list[float]] = {"alice": [], "nobody": []}
    answers = set()
    for number in range(60):
        for name, taken in times.items():  # in turns, so that noise falls on both
            start = time.perf_counter()
            response = world.client.get("/service/token?service=harbor-registry", headers=basic(name, f"wrong {number}"))
            taken.append(time.perf_counter() - start)
            answers.add((response.status_code, response.text, str(response.headers)))
    world.close()
    assert len(answers) == 1
    difference = abs(statistics.median(times["alice"]) - statistics.median(times["nobody"]))
    assert difference < 0.002 + 0.1 * statistics.median(times["alice"])
