"""An installation moves from one kind of database to another: everything comes, and ids go on where they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import delete, func, select, text

from authsvc.cli import cli
from authsvc.core import moving, schema
from authsvc.core.base import create_base
from authsvc.core.db import Base, db, patient_connection, transaction
from authsvc.core.errors import Conflict
from authsvc.core.settings import Settings
from authsvc.jobs import leases
from authsvc.projects.models import Project
from authsvc.system.health import WORKER_LEASE
from authsvc.users.models import User
from tests.core.test_migrations import _fill
from tests.support.databases import Databases


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Flask]:
    """A SQLite file with a row in each table, and users that came and went."""
    app = create_base(Settings(state_dir=tmp_path))
    schema.upgrade(app)
    with app.app_context():
        with transaction():
            for number in range(5):
                db.session.add(User(username=f"u{number}", name_key=f"u{number}"))
        with transaction():
            db.session.execute(delete(User).where(User.id > 2))
        with patient_connection() as connection:
            _fill(connection)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def there(databases: Databases, tmp_path: Path) -> Iterator[Flask]:
    app = create_base(Settings(state_dir=tmp_path, database_url=databases.bare()))
    schema.upgrade(app)
    yield app
    with app.app_context():
        db.engine.dispose()


def move(source: Flask, target: Flask) -> int:
    with source.app_context(), patient_connection() as reader, target.app_context(), patient_connection() as writer:
        return moving.move(reader, writer)


def next_user(app: Flask) -> int:
    with app.app_context(), transaction():
        user = User(username="next", name_key="next")
        db.session.add(user)
        db.session.flush()
        return user.id


def test_everything_comes_and_ids_go_on(here: Flask, there: Flask, tmp_path: Path) -> None:
    assert move(here, there) > len(Base.metadata.tables)
    back = create_base(Settings(state_dir=tmp_path / "back"))
    (tmp_path / "back").mkdir()
    schema.upgrade(back)
    move(there, back)
    for app in (there, back):
        with app.app_context():
            counts = [db.session.scalar(select(func.count()).select_from(table)) or 0 for table in Base.metadata.sorted_tables]
            db.session.rollback()
        assert 0 not in counts
        assert next_user(app) == 6, "not 3: who was deleted had that one"
    with back.app_context():
        db.engine.dispose()


def test_a_database_in_use_is_left_alone(here: Flask, there: Flask) -> None:
    with there.app_context(), transaction():
        db.session.add(Project(name="web", owner=User(username="owner", name_key="owner")))
    with pytest.raises(Conflict, match="in use: it holds projects"):
        move(here, there)
    with there.app_context():
        assert db.session.scalars(select(User.username)).all() == ["owner"]
        assert db.session.scalar(text("SELECT value FROM policy_version")) is not None
        db.session.rollback()


def test_what_comes_differently_is_not_moved(here: Flask, there: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = moving._copy

    def lose(*arguments: object) -> int:
        count = copied(*arguments)  # type: ignore[arg-type]
        arguments[1].execute(delete(User).where(User.id == 2))  # type: ignore[attr-defined]
        return count

    monkeypatch.setattr(moving, "_copy", lose)
    with pytest.raises(Conflict, match="users came differently"):
        move(here, there)
    with there.app_context():
        assert db.session.scalars(select(User.username)).all() == []
        db.session.rollback()


def test_the_command(here: Flask, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = databases.bare()
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(tmp_path))
    with here.app_context(), transaction():
        leases.take(WORKER_LEASE, 9)
    running = CliRunner().invoke(cli, ["db", "move", url])
    assert "stop it first" in str(running.exception)
    with here.app_context(), transaction():
        leases.give_back(WORKER_LEASE)
    moved = CliRunner().invoke(cli, ["db", "move", url])
    assert moved.exit_code == 0, moved.output
    assert "rows were copied and compared" in moved.output
    app = create_base(replace(here.config["TIDEGATE"], database_url=url))
    assert next_user(app) == 6
    with app.app_context():
        db.engine.dispose()
