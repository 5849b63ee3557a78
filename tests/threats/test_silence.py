"""S16 and its kind: an issuer that is silent, or never ends, holds one thread now and then, and nobody else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from authsvc.core import connections, kept, outgoing
from authsvc.core.errors import Unavailable
from authsvc.core.kept import Kept
from authsvc.core.outgoing import ask_json
from authsvc.system import health
from tests.support.issuer import CiIssuer
from tests.support.waiting import eventually
from tests.support.world import World, basic

LOOPBACK = ("127.0.0.0/8",)


class Listener:
    """Takes connections and says `first`, then `again` for ever; nothing if they are empty."""

    def __init__(self, first: bytes = b"", again: bytes = b"") -> None:
        self.connections = 0
        self._said = first, again
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._taking = threading.Thread(target=self._take, daemon=True)
        self._taking.start()

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._taking.join()
        for one in (self._server, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._say, args=(connection,), daemon=True).start()

    def _say(self, connection: socket.socket) -> None:
        first, again = self._said
        with suppress(OSError):
            connection.sendall(first)
            while again:
                connection.sendall(again)
                time.sleep(0.02)


@contextmanager
def listening(first: bytes = b"", again: bytes = b"") -> Iterator[Listener]:
    made = Listener(first, again)
    try:
        yield made
    finally:
        made.close()


def trust(world: World, issuer: str, name: str = "silent") -> None:
    rule = {
        "name": name,
        "issuer": issuer,
        "audience": "x",
        "claims": {"repository": "a/b"},
        "project": "web",
        "actions": ["pull"],
    }
    assert world.api("POST", "/system/trust-rules", "admin", json=rule).status_code == 201


def test_a_silent_issuer_is_asked_once(town: World, issuer: CiIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever crowd, with whatever tokens; each is told so, and none is let in."""
    monkeypatch.setattr(outgoing, "TIMEOUT", (0.5, 0.5))
    monkeypatch.setattr(kept, "_PAUSE", 3600)  # however long this test takes
    with listening() as silent:
        url = f"http://127.0.0.1:{silent.port}"
        trust(town, url)
        junk = [issuer.token(iss=url, key_id=f"no-{number}", aud="x") for number in range(24)]

        def login(token: str) -> int:
            return town.client.get("/service/token?service=harbor-registry", headers=basic("oidc", token)).status_code

        with ThreadPoolExecutor(12) as crowd:
            assert set(crowd.map(login, junk)) == {503}
        assert {login(token) for token in junk} == {503}
        assert silent.connections == 1
        assert town.token(who="alice").status_code == 200


def test_an_answer_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a header, of a body, and of the greeting before TLS: each piece comes in time, and never the last."""
    monkeypatch.setattr(outgoing, "_TOTAL", 0.4)
    endless = {
        "http": [(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b" ")],
        "https": [(b"\x16\x03\x03\x40\x00", b"\x02"), (b"", b"\x16")],
    }
    for scheme, answers in endless.items():
        for first, again in answers:
            with listening(first, again) as server, pytest.raises(Unavailable):
                ask_json("GET", f"{scheme}://127.0.0.1:{server.port}/x", LOOPBACK, verify=False)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_opened_after_the_end_is_closed(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """The time may be over while a name is looked up, or a connection made."""
    looked_up = connections._looked_up

    def late(*asked: Any) -> Any:
        adapter.hang_up()
        return looked_up(*asked)

    monkeypatch.setattr(connections, "_looked_up", late)
    with listening() as server, outgoing.session(LOOPBACK, verify=False) as session:
        adapter: Any = session.get_adapter("http://x")
        with pytest.raises(outgoing.FAILURES):
            session.get(f"{scheme}://127.0.0.1:{server.port}/x", timeout=connections.TIMEOUT)


def test_name_servers_that_are_silent_hold_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither who asks, nor those who ask for other names; and not more than so many are asked for."""
    silent, real = threading.Event(), socket.getaddrinfo

    def answer(host: str, *rest: Any, **options: Any) -> Any:
        if host == "slow.example":
            silent.wait(60)
        return real(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(connections, "_lookups", threading.BoundedSemaphore(2))
    with listening() as server:
        for _ in range(2):
            with pytest.raises(TimeoutError, match="no name server"):
                connections.connect("slow.example", server.port, LOOPBACK, 0.05)
        with pytest.raises(TimeoutError, match="too many"):
            connections.connect("127.0.0.1", server.port, LOOPBACK, 5)
        silent.set()
        eventually(lambda: connections._lookups._value == 2)
        connections.connect("127.0.0.1", server.port, LOOPBACK, 5).close()


def test_a_silent_part_is_looked_at_once(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many strangers ask how everything is."""
    looks, silent = [], threading.Event()

    def look(name: str, *_: str) -> health.Component:
        looks.append(name)
        silent.wait(60)
        return health.Component(name, "silent")

    assert town.client.get("/api/v2.0/health").status_code == 200
    monkeypatch.setattr(health, "_at", look)
    with ThreadPoolExecutor(8) as crowd:
        first = crowd.submit(town.client.get, "/api/v2.0/health")
        eventually(lambda: looks)
        others = list(crowd.map(town.client.get, ["/api/v2.0/health"] * 7))
        assert looks == ["registry"]
        silent.set()
        assert {answer.status_code for answer in (*others, first.result())} == {200}
    found = {part["name"]: part.get("error") for part in first.result().get_json()["components"]}
    assert found["registry"] == "silent"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_kept() -> None:
    clock, asked = Clock(), []
    answers: list[int | Unavailable] = [1, Unavailable("away"), 2, 3]

    def fetch() -> int:
        asked.append(clock.now)
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    value = Kept(fetch, 100, 1000, clock)
    assert [value.get(), value.get(), len(asked)] == [1, 1, 1]
    clock.now += 101
    assert [value.get(), value.get(), len(asked)] == [1, 1, 2], "away, and what was kept is better than nothing"
    with pytest.raises(Unavailable, match="away"):
        value.get(younger_than=30)
    assert len(asked) == 2, "it was away a moment ago"
    clock.now += 11
    assert [value.get(), len(asked)] == [2, 3]
    clock.now += 40
    assert [value.get(younger_than=30), len(asked)] == [3, 4]


def test_nothing_is_kept_for_ever() -> None:
    clock, answers = Clock(), [1]

    def fetch() -> int:
        if not answers:
            raise Unavailable("gone")
        return answers.pop()

    value = Kept(fetch, 100, 1000, clock)
    assert value.get() == 1
    clock.now += 1001
    for _ in range(3):
        with pytest.raises(Unavailable, match="gone"):
            value.get()


def test_of_many_one_asks_some_wait_and_the_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_WAIT", 3600)  # until it ends
    asked, may_end = [], threading.Event()

    def fetch() -> int:
        asked.append(1)
        may_end.wait()
        return 7

    value = Kept(fetch, 100, 1000)
    with ThreadPoolExecutor(10) as crowd:
        got = [crowd.submit(value.get) for _ in range(10)]
        eventually(lambda: sum(one.done() for one in got) == 6)
        assert all(isinstance(one.exception(), Unavailable) for one in got if one.done())
        may_end.set()
        assert sorted(one.result() for one in got if one.exception() is None) == [7] * 4
    assert len(asked) == 1
