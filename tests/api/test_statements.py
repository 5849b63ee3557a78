"""How much of the database a request takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, update
from werkzeug.test import Client, TestResponse

from authsvc.core.db import db
from authsvc.users.models import User
from tests.support.world import World, basic


class Seen(list[str]):
    """Statements; `writes`: how many transactions changed something."""

    writes = 0


@contextmanager
def statements() -> Iterator[Seen]:
    """What all connections are asked inside, but for beginnings and ends of transactions."""
    seen, changing = Seen(), set[int]()

    def note(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            seen.append(statement)
            if not statement.startswith("SELECT"):
                changing.add(id(connection))

    def end(connection: Connection) -> None:
        if id(connection) in changing:
            changing.discard(id(connection))
            seen.writes += 1

    listeners: dict[str, Any] = {"before_cursor_execute": note, "commit": end, "rollback": end}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


HERE = {"X-Real-IP": "192.0.2.7"}


@pytest.fixture
def people(world: World) -> World:
    world.user("alice")
    world.project("web", 1)
    world.api("GET", "/users/current", "admin")
    return world


def test_a_right_password_costs_little(people: World) -> None:
    with statements() as seen:
        assert people.api("GET", "/users/current", "alice", headers=HERE).status_code == 200
    assert len(seen) <= 12, seen
    assert seen.writes == 2, seen
    with statements() as again:
        assert people.api("GET", "/users/current", "alice", headers=HERE).status_code == 200
    assert (len(again), again.writes) == (2, 0)


def test_a_token_for_a_right_password_costs_little(people: World) -> None:
    with statements() as seen:
        asked = {"service": "harbor-registry", "scope": "repository:web/a:pull"}
        assert people.client.get("/service/token", query_string=asked, headers=HERE | basic("alice")).status_code == 200
    assert len(seen) <= 12, seen
    assert seen.writes == 2, seen


def test_a_project_costs_little(people: World) -> None:
    with statements() as seen:
        assert people.api("GET", "/projects/web", "admin").status_code == 200
    assert len(seen) <= 4, seen


def test_a_page_with_a_session_writes_nothing(people: World) -> None:
    """D7: not even a lock is taken, but for the session itself now and then."""
    browser = Client(people.nginx)
    own = {"Origin": "https://localhost:8443"}
    login = {"principal": "alice", "password": "correct horse battery"}
    assert browser.post("/c/login", data=login, headers=own, base_url="https://localhost").status_code == 200
    with people.changes(), statements() as seen:
        db.session.execute(update(User).where(User.id == 1).values(comment="somebody is writing"))
        writing = seen.writes
        for path in ("/projects", "/users/current", "/projects/web"):
            answer = in_its_own_context(partial(browser.get, f"/api/v2.0{path}", base_url="https://localhost"))
            assert answer.status_code in (200, 403), path
        assert seen.writes == writing


def in_its_own_context(ask: Callable[[], TestResponse]) -> TestResponse:
    """As a server does it: on another thread, with a connection of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def test_reading_writes_nothing(people: World) -> None:
    paths = ("/projects", "/projects/web", "/users", "/users/current", "/statistics", "/audit-logs", "/search?q=web", "/health")
    with statements() as seen:
        for path in paths:
            assert people.api("GET", path, "admin").status_code == 200
    assert seen.writes == 0
    with statements() as anonymous:
        assert people.client.get("/api/v2.0/projects", headers={}).status_code == 200
        assert people.client.get("/api/v2.0/users/current", headers=basic("admin")).status_code == 200
    assert anonymous.writes == 0
