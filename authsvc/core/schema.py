"""The database's schema: alembic migrations, one transaction each, one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, text

from authsvc.core.db import db

_LOCK = 0x71DE6A7E  # any number that nobody else locks with


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


def upgrade(app: Flask) -> bool:
    """Bring the schema to the newest revision; True if there was anything to do. Waits while another process does it."""
    config = _config()
    with app.app_context(), db.engine.connect() as connection, _locked(connection):
        head = ScriptDirectory.from_config(config).get_current_head()
        if MigrationContext.configure(connection).get_current_revision() == head:
            return False
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        return True


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """SQLite: the transaction (BEGIN IMMEDIATE) is the lock. PostgreSQL: an advisory lock until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    yield
