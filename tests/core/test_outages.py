"""A database server that goes away in the middle: 503 with a time to come back, and the next request after its return works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.engine import make_url
from werkzeug.test import TestResponse

from authsvc.core import engines
from authsvc.core.db import db
from authsvc.core.settings import Settings
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


def test_whoever_falls_silent_in_a_transaction_holds_nobody_for_ever(
    reached: tuple[World, FaultProxy], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is gone without a word: the server hears of it from nobody."""
    monkeypatch.setattr(engines, "IDLE", 1)
    world, _ = reached
    with proxied(settings) as (silent, cable), silent.front.flask.app_context(), db.engine.connect() as gone:
        gone.exec_driver_sql("UPDATE policy_version SET value = value")
        cable.set("swallow")

        def writes() -> bool:
            body = {"project_name": f"p{time.monotonic_ns()}"}
            return world.api("POST", "/projects", "admin", json=body).status_code == 201

        eventually(writes)
        gone.invalidate()


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
