"""PgBouncer in transaction mode: each transaction may be another connection's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from authsvc.core import schema
from authsvc.core.base import create_base
from authsvc.core.db import db, reading, transaction
from authsvc.core.settings import Settings
from authsvc.doctor.examination import examine
from authsvc.doctor.findings import DOUBTFUL, Patient
from authsvc.jobs import leases
from authsvc.wsgi import Front
from tests.conftest import new_settings
from tests.support.databases import PostgresDatabases, pgbouncer, postgres_server
from tests.support.world import World

CONNECTIONS = 3  # of PostgreSQL; more than that want one at the same time

pytestmark = pytest.mark.once


class _Through(PostgresDatabases):
    """Databases that are made directly, and used through a pooler."""

    def __init__(self, server: int, pooler: int, directory: Path) -> None:
        super().__init__(server, directory)
        self._server, self._pooler = server, pooler

    def new(self) -> str:
        return super().new().replace(f":{self._server}/", f":{self._pooler}/")


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Through]:
    directory = tmp_path_factory.mktemp("pooler")
    with postgres_server() as server, pgbouncer(server, CONNECTIONS) as pooler:
        databases = _Through(server, pooler, directory)
        try:
            yield databases
        finally:
            databases.close()


@pytest.fixture
def settings(through: _Through, keys: Path, tmp_path: Path) -> Settings:
    return new_settings(through, keys, tmp_path, database_pooler=True)


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    made = World(Front(settings))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


def test_what_is_done_often_is_prepared_nowhere(world: World) -> None:
    """psycopg prepares what it is asked for the fifth time, on a connection that the next transaction may not have."""
    world.project("web", 1)

    def ask(_: int) -> set[int]:
        with world.front.flask.app_context(), db.engine.connect() as connection:
            found = set()
            for _ in range(40):
                with connection.begin():
                    found.add(
                        int(connection.execute(db.text("SELECT count(*) FROM projects WHERE id > :id"), {"id": 0}).scalar_one())
                    )
            return found

    with ThreadPoolExecutor(8) as pool:
        assert set.union(*pool.map(ask, range(8))) == {1}
    for number in range(12):
        assert world.granted("repository:web/a:pull,push", who="admin") == {"web/a": ["pull", "push"]}
        assert world.api("GET", "/projects", "admin").status_code == 200
        assert world.api("POST", "/labels", "admin", json={"name": f"label-{number}", "scope": "g"}).status_code == 201


def test_a_crowd_that_is_larger_than_the_pool(world: World) -> None:
    asked = [("POST", "/projects", "admin", {"project_name": f"project-{number % 6}"}) for number in range(18)]
    statuses = [answer.status_code for answer in world.crowd(*asked)]
    assert sorted(statuses) == [201] * 6 + [409] * 12


def test_leases_exclude(world: World) -> None:
    def take(number: int) -> bool:
        with world.front.flask.app_context(), transaction():
            return leases.take("one", 60, f"owner-{number}")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


def test_the_schema_is_made_through_it(through: _Through, tmp_path: Path) -> None:
    url = through.bare().replace(f":{through._server}/", f":{through._pooler}/")
    app = create_base(Settings(state_dir=tmp_path, database_url=url, database_pooler=True))
    assert schema.upgrade(app)
    assert not schema.upgrade(app)
    with app.app_context():
        with reading():
            assert db.session.execute(db.text("SELECT 1")).scalar() == 1
        db.engine.dispose()


def test_doctor_says_what_the_role_lacks(world: World, settings: Settings) -> None:
    (look,) = examine(Patient(world.front.flask, settings), lambda check: check.name == "database.pooler")
    assert look.finding.status == DOUBTFUL
    assert "statement_timeout, lock_timeout" in look.finding.said
