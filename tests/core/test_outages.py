"""A database server that goes away in the middle: 503 with a time to come back, and the next request after its return works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from werkzeug.test import TestResponse

from authsvc.artifacts import journal
from authsvc.core import engines
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.system import statistics
from authsvc.wsgi import Front
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.waiting import eventually
from tests.support.world import World


@contextmanager
def proxied(settings: Settings) -> Iterator[tuple[World, FaultProxy]]:
    """The application on a server that is reached through a proxy, which can be told to cut or swallow."""
    url = make_url(settings.database_url)
    assert url.port is not None
    with fault_proxy(url.port) as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        object.__setattr__(settings, "database_url", through)
        made = World(Front(settings))
        try:
            yield made, proxy
        finally:
            proxy.set("pass")
            made.close()


@pytest.fixture
def reached(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[World, FaultProxy]]:
    if request.config.getoption("--database") == "sqlite":
        pytest.skip("SQLite is no server")
    with proxied(settings) as (world, proxy):
        world.user("admin", sysadmin=True)
        yield world, proxy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that are asked from now on soon end a transaction that is silent."""
    monkeypatch.setattr(engines, "IDLE", 1)


def everything(world: World) -> list[TestResponse]:
    """A read, a write, a token and a login."""
    return [
        world.api("GET", "/projects", "admin"),
        world.api("POST", "/projects", "admin", json={"project_name": f"p{time.monotonic_ns()}"}),
        world.token("repository:library/a:pull", who="admin"),
        world.token(who="admin"),
    ]


def test_while_it_is_gone_all_is_503_and_then_works_again(reached: tuple[World, FaultProxy]) -> None:
    world, proxy = reached
    assert [answer.status_code for answer in everything(world)] == [200, 201, 200, 200]
    proxy.set("cut")
    for answer in everything(world):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.get_json()["errors"][0]["code"] == "UNAVAILABLE"
    proxy.set("pass")
    assert [answer.status_code for answer in everything(world)] == [200, 201, 200, 200]


def test_a_restart_between_two_requests_is_not_noticed(reached: tuple[World, FaultProxy]) -> None:
    world, proxy = reached
    for _ in range(3):
        assert [answer.status_code for answer in everything(world)] == [200, 201, 200, 200]
        proxy.set("cut")
        proxy.set("pass")


def test_silence_holds_nobody_for_ever(reached: tuple[World, FaultProxy]) -> None:
    world, proxy = reached
    everything(world)
    proxy.set("swallow")
    assert {answer.status_code for answer in everything(world)} == {503}
    proxy.set("cut")
    proxy.set("pass")
    assert [answer.status_code for answer in everything(world)] == [200, 201, 200, 200]


@pytest.mark.usefixtures("impatient")
def test_whoever_falls_silent_in_a_transaction_holds_nobody_for_ever(
    reached: tuple[World, FaultProxy], settings: Settings
) -> None:
    """A machine that is gone without a word: the server hears of it from nobody."""
    world, _ = reached
    with proxied(settings) as (silent, cable), silent.front.flask.app_context(), db.engine.connect() as gone:
        gone.exec_driver_sql("UPDATE policy_version SET value = value")
        cable.set("swallow")

        def writes() -> bool:
            body = {"project_name": f"p{time.monotonic_ns()}"}
            return world.api("POST", "/projects", "admin", json=body).status_code == 201

        eventually(writes)
        gone.invalidate()


_ONESELF = {  # who one is to the server, and whether that one is still there
    "postgresql": ("SELECT pg_backend_pid()", "SELECT count(*) FROM pg_stat_activity WHERE pid = "),
    "mariadb": ("SELECT connection_id()", "SELECT count(*) FROM information_schema.processlist WHERE id = "),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("module", "verb", "asked", "status"),
    [
        (statistics, "statistics", ("GET", "/statistics", None), 200),
        (journal, "are_open", ("GET", "/projects/known/_deletable", None), 200),
        (projects, "create", ("POST", "/projects", {"project_name": "new"}), 503),
    ],
)
def test_what_the_server_has_ended_needs_no_undoing(
    world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, module: Any, verb: str, asked: Any, status: int
) -> None:
    """Whoever only reads has its answer, although it was silent for too long; whoever writes is told to come again."""
    family = request.config.getoption("--database")
    if family == "sqlite":
        pytest.skip("SQLite is no server")
    world.api("POST", "/projects", "admin", json={"project_name": "known"})
    real = getattr(module, verb)

    def falls_silent(*given: Any) -> Any:
        done = real(*given)
        own, there = _ONESELF[family]
        oneself = db.session.scalar(text(own))
        with db.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as other:
            eventually(lambda: other.exec_driver_sql(f"{there}{oneself}").scalar() == 0)
        return done

    with monkeypatch.context() as patches:
        patches.setattr(module, verb, falls_silent)
        method, path, body = asked
        assert world.api(method, path, "admin", json=body).status_code == status
    assert world.api("GET", "/projects/new", "admin").status_code == 404
    assert world.api("POST", "/projects", "admin", json={"project_name": "new"}).status_code == 201


def test_a_locked_table_is_503(world: World) -> None:
    with world.front.flask.app_context(), db.engine.connect() as other:
        if other.dialect.name == "sqlite":
            other.exec_driver_sql("UPDATE projects SET name = name")
        else:
            other.exec_driver_sql("INSERT INTO leases (name, owner, until) VALUES ('x', '', '2026-01-01 00:00:00')")
            other.exec_driver_sql("UPDATE policy_version SET value = value")
        answer = world.api("POST", "/projects", "admin", json={"project_name": "waits"})
        other.rollback()
    if answer.status_code != 201:  # who does not touch what is locked need not wait
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert world.api("POST", "/projects", "admin", json={"project_name": "goes-on"}).status_code == 201
