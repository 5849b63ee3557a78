"""A directory in trouble is a trouble of its own people only, and of nobody for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from authsvc.authn import sources
from authsvc.authn.backends.ldap import backend
from authsvc.authn.backends.ldap.answers import DirectoryDown
from authsvc.authn.backends.ldap.backend import Guard
from authsvc.authn.backends.ldap.breaker import THREADS, Breaker, Bulkhead
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.slapd import Slapd
from tests.support.waiting import eventually
from tests.support.world import PASSWORD, World, basic

pytestmark = pytest.mark.once  # about directories and clocks, whatever the database is


def login(world: World, name: str, password: str = PASSWORD) -> int:
    return world.client.get("/service/token?service=harbor-registry", headers=basic(name, password)).status_code


@pytest.mark.parametrize("mode", ["cut", "swallow", "slow"])
def test_an_outage_is_503_and_heals(world: World, proxied: FaultProxy, mode: str) -> None:
    """Also one that is silent or says a byte now and then: without an end to every wait it would take minutes."""
    assert login(world, "alice") == 200
    proxied.set(mode)
    assert login(world, "bob") == 503
    assert login(world, "alice") == 200, "remembered"
    assert login(world, "admin") == 200, "a local user"
    assert login(world, "admin", "wrong") == 401, "a local user's wrong password stays wrong"
    proxied.set("pass")
    assert login(world, "bob") == 200


def test_after_five_failures_the_directory_is_left_alone(world: World, proxied: FaultProxy) -> None:
    proxied.set("cut")
    assert {login(world, "bob", f"password {number}") for number in range(5)} == {503}
    (breaker,) = world.own(Guard)._breakers.values()
    breaker._try_again = float("inf")
    before = proxied.connections
    assert {login(world, "bob", f"password {number}") for number in range(20)} == {503}
    assert proxied.connections == before, "the breaker is open"
    breaker._try_again = 0.0  # ten seconds later
    proxied.set("pass")
    assert login(world, "bob") == 200


def test_an_outage_counts_no_wrong_password(world: World, proxied: FaultProxy) -> None:
    proxied.set("cut")
    for number in range(30):
        login(world, "bob", f"password {number}")
    assert world.api("GET", "/system/login-failures", "admin").get_json() == []


def test_robots_do_not_notice_a_black_hole(world: World, proxied: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins by directory hang; a robot's tokens are given without a question to it."""
    world.project("web", 1)
    entry = {"kind": "project", "namespace": "web", "access": [{"resource": "repository", "action": "pull"}]}
    body = {"name": "ci", "level": "project", "duration": -1, "permissions": [entry]}
    robot = world.api("POST", "/robots", "admin", json=body).get_json()
    headers = basic(robot["name"], robot["secret"])

    asking: list[threading.Thread] = []
    guarded = backend.guarded

    def noting(*question: Any) -> Any:
        asking.append(threading.current_thread())
        return guarded(*question)

    monkeypatch.setattr(backend, "guarded", noting)
    proxied.set("swallow")
    answers: list[int] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(login(world, f"user{n}"))) for n in range(16)]
    for thread in threads:
        thread.start()
    eventually(lambda: asking)
    for number in range(200):
        path = f"/service/token?service=harbor-registry&scope=repository:web/a{number}:pull"
        assert world.client.get(path, headers=headers).status_code == 200
    for thread in threads:
        thread.join()
    assert set(answers) <= {503, 429}
    assert set(asking) <= set(threads)


def test_the_breaker_lets_one_through_every_ten_seconds() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for _ in range(5):
        breaker.before()
        breaker.failed("down")
    with pytest.raises(DirectoryDown, match="down"):
        breaker.before()
    now = 10.0
    breaker.before()
    with pytest.raises(DirectoryDown):
        breaker.before()
    breaker.worked()
    breaker.before()


def test_only_some_wait_and_nobody_for_long() -> None:
    bulkhead, release = Bulkhead(), threading.Event()
    waited: list[str] = []

    def ask() -> None:
        try:
            bulkhead.run(release.wait, 10)
        except DirectoryDown as error:
            waited.append(type(error).__name__)

    threads = [threading.Thread(target=ask) for _ in range(THREADS + 4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(waited) == THREADS + 2)
    assert waited == ["Busy"] * (THREADS + 2), "they are sent away while two wait to the end"
    for thread in threads:
        thread.join()
    release.set()
    assert waited[-2:] == ["TooSlow"] * 2


def test_a_slow_directory_that_answers_sends_nobody_away() -> None:
    bulkhead = Bulkhead()
    assert bulkhead.run(lambda: not threading.Event().wait(0.7), 5), "and is known to be slow"
    answers: list[bool] = []
    _together(lambda: answers.append(bulkhead.run(lambda: not threading.Event().wait(0.7), 5)), THREADS + 2)
    assert answers == [True] * (THREADS + 2), "two of them waited for a place first"


def test_whoever_is_sent_away_says_nothing_of_the_directory(connected: World) -> None:
    full = Bulkhead()
    full._places = threading.BoundedSemaphore(1)
    full._places.acquire()
    connected.own(Guard).bulkhead = full
    assert {login(connected, "bob", f"password {number}") for number in range(8)} == {503}
    full._places.release()
    assert login(connected, "bob") == 200, "the breaker is not open"


def test_several_silent_directories_take_no_longer_than_one(
    world: World, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them share one time: what the first has taken is not given to the next."""
    with fault_proxy(directory.tls_port) as first, fault_proxy(directory.tls_port) as second:
        for name, proxy in (("default", first), ("second", second)):
            proxy.set("swallow")
            with world.changes():
                sources.save("test", "ldap", name, directory.settings(ldap_url=f"ldaps://localhost:{proxy.port}"))
        limits: list[float] = []
        run = Bulkhead.run

        def noting(self: Bulkhead, question: Callable[[], Any], seconds: float) -> Any:
            limits.append(seconds)
            return run(self, question, seconds)

        monkeypatch.setattr(Bulkhead, "run", noting)
        assert login(world, "bob") == 503
        whole, rest = limits
        assert rest < whole
        assert login(world, "admin", "wrong") == 401, "a local user's wrong password is wrong"


def _together(ask: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
