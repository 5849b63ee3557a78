"""The database's schema: alembic migrations, one transaction each, one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, inspect, text

from authsvc.core.db import db

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_LOCK = 0x71DE6A7E  # any number that nobody else locks with


def upgrade(app: Flask) -> bool:
    """Bring the schema to the newest revision; True if there was anything to do. Waits while another process does it."""
    with app.app_context(), db.engine.connect() as connection, _locked(connection):
        if _present(connection) == newest():
            return False
        _migrate(connection)
        return True


def newest() -> str:
    """The newest revision; they are numbered, and their files begin with the number."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _present(connection: Connection) -> str:
    """The revision that the database has; "" if it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def _migrate(connection: Connection) -> None:
    # Loaded when there is something to do: it takes a quarter of a second, at each start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """SQLite: the transaction (BEGIN IMMEDIATE) is the lock. PostgreSQL: an advisory lock until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    yield
