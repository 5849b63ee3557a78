"""S17 S18 F9: guesses at a directory's people are counted for whom the directory means, and told it once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from authsvc.authn import sources
from authsvc.authn.backends.ldap import directory as ldap_directory
from authsvc.authn.backends.ldap.backend import Guard, directories
from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.support.slapd import Slapd
from tests.support.world import PASSWORD, World, basic

ALIASES = ("alice", "ALICE", "alice@example.com", "Alice@Example.com", "alice example")


@pytest.fixture
def several_names(make_settings: Callable[..., Settings], directory: Slapd) -> Iterator[World]:
    """Alice logs in by any of three attributes."""
    made = World(Front(make_settings(login_attempts=4, login_attempts_per_address=50, credential_cache_seconds=3600)))
    made.user("admin", sysadmin=True)
    with made.changes():
        sources.save("test", "ldap", "default", directory.settings(ldap_uid="uid,mail,cn"))
    yield made
    made.close()


@pytest.fixture
def unbounded(make_settings: Callable[..., Settings], directory: Slapd) -> Iterator[World]:
    """Everything that is typed is looked at."""
    made = World(Front(make_settings(login_attempts=10_000, login_attempts_per_address=10_000)))
    with made.changes():
        sources.save("test", "ldap", "default", directory.settings())
    yield made
    made.close()


@pytest.fixture
def binds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The entries as which somebody tried to bind."""
    seen: list[str] = []
    prove = ldap_directory.prove

    def note(settings: Any, dn: str, password: str) -> None:
        if "nobody" not in dn:
            seen.append(dn)
        prove(settings, dn, password)

    monkeypatch.setattr(ldap_directory, "prove", note)
    return seen


def login(world: World, name: str, password: str) -> int:
    return world.client.get("/service/token?service=harbor-registry", headers=basic(name, password)).status_code


@pytest.mark.parametrize("is_aboard", [False, True])
def test_whatever_somebody_is_called_there_he_is_one(several_names: World, binds: list[str], is_aboard: bool) -> None:
    """S17: and blanks that a directory does not see are in no name."""
    if is_aboard:
        assert login(several_names, "alice", PASSWORD) == 200
        binds.clear()
    answers = [login(several_names, ALIASES[number % len(ALIASES)], f"wrong {number}") for number in range(12)]
    assert answers == [401] * 4 + [429] * 8
    assert len(binds) == 4
    for name in (" alice", "alice ", "alice  example"):
        assert login(several_names, name, PASSWORD) == 401
    assert len(binds) == 4
    if is_aboard:
        assert several_names.api("DELETE", "/system/login-failures?name=alice", "admin").status_code == 200
        assert login(several_names, "alice", "wrong again") == 401


def test_a_wrong_password_is_told_to_the_directory_once(several_names: World, binds: list[str]) -> None:
    """F9: else a machine with an old password locks its owner out everywhere."""
    for name in ALIASES:
        assert {login(several_names, name, "an old password") for _ in range(8)} == {401}
    assert len(binds) == 1
    again = World(Front(several_names.front.flask.config["TIDEGATE"]))  # another process
    try:
        assert login(again, "alice", "an old password") == 401
        assert len(binds) == 1
    finally:
        again.close()
    assert login(several_names, "alice", PASSWORD) == 200
    assert login(several_names, "alice", "an old password") == 401
    assert len(binds) == 3, "after a right one everything may be different there"


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=30))
def test_no_password_is_the_directorys_fault(unbounded: World, secret: str) -> None:
    """S18: whatever somebody types, others go on logging in."""
    assert login(unbounded, "alice", secret) == 401
    with unbounded.changes():
        (named,) = directories()
        assert unbounded.own(Guard).breaker(named).reason == ""


def test_nor_is_a_name(unbounded: World) -> None:
    for number, name in enumerate(("*", "a)(uid=*", "\\2a", "\u00df" * 200, "x,dc=y", "\U0001f600", "=" * 60)):
        assert login(unbounded, name, f"x{number}") == 401
    with unbounded.changes():
        (named,) = directories()
        assert unbounded.own(Guard).breaker(named).reason == ""
    assert login(unbounded, "alice", PASSWORD) == 200
