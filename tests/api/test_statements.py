"""How much of the database a request takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from tests.support.world import World, basic


@contextmanager
def statements() -> Iterator[list[str]]:
    """What all connections are asked inside, but for beginnings and ends of transactions."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def writes(seen: list[str]) -> list[str]:
    return [statement for statement in seen if not statement.startswith("SELECT")]


@pytest.fixture
def people(world: World) -> World:
    world.user("alice")
    world.project("web", 1)
    world.api("GET", "/users/current", "admin")
    return world


def test_a_right_password_costs_little(people: World) -> None:
    with statements() as seen:
        assert people.api("GET", "/users/current", "alice").status_code == 200
    assert len(seen) <= 12, seen
    assert len(writes(seen)) <= 2, seen
    with statements() as again:
        assert people.api("GET", "/users/current", "alice").status_code == 200
    assert (len(again), writes(again)) == (2, [])


def test_a_token_for_a_right_password_costs_little(people: World) -> None:
    with statements() as seen:
        assert people.token("repository:web/a:pull", who="alice").status_code == 200
    assert len(seen) <= 12, seen
    assert len(writes(seen)) <= 2, seen


def test_a_project_costs_little(people: World) -> None:
    with statements() as seen:
        assert people.api("GET", "/projects/web", "admin").status_code == 200
    assert len(seen) <= 4, seen


def test_reading_writes_nothing(people: World) -> None:
    paths = ("/projects", "/projects/web", "/users", "/users/current", "/statistics", "/audit-logs", "/search?q=web", "/health")
    with statements() as seen:
        for path in paths:
            assert people.api("GET", path, "admin").status_code == 200
    assert writes(seen) == []
    with statements() as anonymous:
        assert people.client.get("/api/v2.0/projects", headers={}).status_code == 200
        assert people.client.get("/api/v2.0/users/current", headers=basic("admin")).status_code == 200
    assert writes(anonymous) == []
