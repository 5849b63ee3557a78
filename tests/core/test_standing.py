"""What is said of a database that cannot be used, or is not the right one: one line, the truth, no secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import MetaData, Table, insert, text

from authsvc.core import copies, schema, standing
from authsvc.core.base import create_base
from authsvc.core.db import db, patient_connection
from authsvc.core.errors import DomainError, PreconditionFailed, Unavailable
from authsvc.core.settings import Settings, SettingsError
from authsvc.stack.prepare import prepare
from tests.core.test_migrations import _value
from tests.support.databases import Databases, PostgresDatabases


def said(act: Callable[[], object], error: type[DomainError]) -> str:
    with pytest.raises(error) as caught:
        act()
    assert "\n" not in caught.value.message
    return caught.value.message


def trouble(state_dir: Path, url: str) -> str:
    settings = Settings(state_dir=state_dir, database_url=url)
    app = create_base(settings)
    try:
        told = said(lambda: standing.revision(app), Unavailable)
        assert said(lambda: prepare(app, settings), Unavailable) == told, "`authsvc up` says the same"
        return told
    finally:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A SQLite installation as of an older revision, with two users."""
    app = create_base(Settings(state_dir=tmp_path))
    with app.app_context():
        with patient_connection() as connection:
            schema._migrate(connection, "0010")
            users = Table("users", MetaData(), autoload_with=connection)
            common = {column.name: _value(column) for column in users.columns}
            connection.execute(
                insert(users),
                [common | {"id": id_, "name_key": f"u{id_}", "username": f"u{id_}", "email": None} for id_ in (1, 2)],
            )
            connection.commit()
        db.engine.dispose()
    return tmp_path


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://tidegate:s3cret@127.0.0.1:1/x", "Connection refused"),
        ("mysql://tidegate:s3cret@127.0.0.1:1/x", "refused"),
        ("mariadb+pymysql://tidegate:s3cret@127.0.0.1:1/x", "refused"),
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
    ],
)
def test_one_that_does_not_answer(tmp_path: Path, url: str, why: str) -> None:
    message = trouble(tmp_path, url)
    assert why in message
    assert "s3cret" not in message


def test_one_that_does_not_know_us(databases: Databases, tmp_path: Path) -> None:
    app = create_base(Settings(state_dir=tmp_path, database_url=databases.bare()))
    with app.app_context():
        url = db.engine.url
        db.engine.dispose()
    if url.get_backend_name() == "sqlite":
        return
    wrong = url.set(username="nobody", password="s3cret").render_as_string(hide_password=False)
    message = trouble(tmp_path, wrong)
    assert "nobody" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("url", ["oracle://x", "registry.db", "://x", "redis://127.0.0.1"])
def test_a_kind_that_we_do_not_know(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="must begin with sqlite"):
        Settings(state_dir=tmp_path, database_url=url)


def test_an_upgrade_leaves_a_copy_to_go_back_to(state: Path) -> None:
    app = create_base(Settings(state_dir=state))
    assert "older Tidegate (its schema is 0010" in said(lambda: standing.must_be_current(app), PreconditionFailed)
    assert schema.upgrade(app)
    standing.must_be_current(app)
    (copy,) = (state / copies.DIRECTORY).iterdir()
    assert copy.stat().st_mode & 0o077 == 0
    with sqlite3.connect(copy) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchall() == [("0010",)]
        assert old.execute("SELECT count(*) FROM users").fetchone() == (2,)
    old.close()
    assert not schema.upgrade(app)
    assert len(list((state / copies.DIRECTORY).iterdir())) == 1
    with app.app_context():
        db.engine.dispose()


def test_a_newer_one_is_left_alone(settings: Settings) -> None:
    app = create_base(settings)
    with app.app_context():
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for act in (lambda: standing.must_be_current(app), lambda: schema.upgrade(app)):
            message = said(act, PreconditionFailed)
            assert "newer Tidegate: its schema is 9999" in message
        db.engine.dispose()


def test_one_without_tables(databases: Databases, tmp_path: Path) -> None:
    app = create_base(Settings(state_dir=tmp_path, database_url=databases.bare()))
    assert "has no tables yet" in said(lambda: standing.must_be_current(app), PreconditionFailed)
    with app.app_context():
        db.engine.dispose()


def test_one_that_cannot_hold_all_text(databases: Databases, tmp_path: Path) -> None:
    if not isinstance(databases, PostgresDatabases):
        pytest.skip("tables are told on the others, whatever the database is")
    settings = Settings(state_dir=tmp_path, database_url=databases.bare(" ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"))
    app = create_base(settings)
    assert "has the encoding SQL_ASCII, and UTF8 is needed" in said(lambda: prepare(app, settings), PreconditionFailed)
    with app.app_context():
        db.engine.dispose()


def test_an_empty_one_beside_one_that_is_used(state: Path, databases: Databases) -> None:
    """A setting that was forgotten or added would begin with nobody."""
    settings = Settings(state_dir=state, database_url=databases.bare())
    app = create_base(settings)
    message = said(lambda: prepare(app, settings), PreconditionFailed)
    assert "holds 2 users and 0 projects" in message
    assert "authsvc db move" in message
    assert not (state / "keys").exists(), "nothing was made"
    (state / "tidegate.db").rename(state / "old.db")
    standing.must_not_begin_anew(app, state / "tidegate.db")
    with app.app_context():
        db.engine.dispose()
