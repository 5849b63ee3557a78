"""The database: one declarative base, one session, SQLite (WAL) or PostgreSQL by URL.

Flask-SQLAlchemy is dormant, so it stays behind this file: models use our own `Base`, everybody else imports `db`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Dialect, Engine, Integer, MetaData, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from authsvc.core.errors import Unavailable

# SQLite locks at the first write; a reader that becomes a writer is refused at once when somebody else wrote in
# between. So whoever may write takes the lock first (BEGIN IMMEDIATE, and waits its turn); readers say that they only read.
read_only: ContextVar[bool] = ContextVar("read_only", default=False)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; SQLite and MySQL would drop the zone."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


BigId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables. Ids are never used again (`sqlite_autoincrement`): an old id in a token or link must not find a new row."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, int: BigId}  # noqa: RUF012 - SQLAlchemy reads it from the class
    __table_args__: Any = {"sqlite_autoincrement": True}  # noqa: RUF012


class Identified:
    """A mixin: a surrogate key that counts up."""

    id: Mapped[int] = mapped_column(primary_key=True)


db = SQLAlchemy(metadata=Base.metadata)


def utcnow() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def init(app: Flask, url: str) -> None:
    """Bind `db` to the application and the database at `url`."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    if url.startswith("postgresql"):
        # Bounded waits (seconds) at every step: a locked table or a dead server must answer 503, not hang a worker.
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
            "pool_pre_ping": True,
            "pool_timeout": 3,
            "connect_args": {"connect_timeout": 3, "options": "-c statement_timeout=5s -c lock_timeout=2s -c timezone=UTC"},
        }
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _tune_sqlite(db.engine)


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN" if read_only.get() else "BEGIN IMMEDIATE")


@contextmanager
def reading() -> Iterator[None]:
    """A transaction that only reads: on SQLite it neither waits for writers nor holds them up. It ends with the block."""
    token = read_only.set(True)
    try:
        yield
    finally:
        db.session.rollback()
        read_only.reset(token)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what happens inside, or roll all of it back; for edges without a request (tasks, commands, the recorder).

    Raises:
        Unavailable: the database cannot be reached or is locked for too long.
    """
    token = read_only.set(False)
    try:
        yield
        db.session.commit()
    except DBAPIError as error:
        db.session.rollback()
        if is_outage(error):
            raise Unavailable("the database does not answer", retry_after=5) from error
        raise
    except BaseException:
        db.session.rollback()
        raise
    finally:
        read_only.reset(token)


def is_outage(error: DBAPIError) -> bool:
    """True if the database is down, locked or unreachable, rather than asked for something wrong."""
    return error.connection_invalidated or type(error).__name__ == "OperationalError"


def _insert(model: type[Base]) -> Any:
    """INSERT in the dialect at hand; both understand ON CONFLICT."""
    dialect = db.session.get_bind().dialect.name
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(model)


def insert_ignore(model: type[Base], **values: Any) -> bool:
    """Insert a row unless one with the same unique key exists; True if this call inserted it. Safe between processes."""
    result: Any = db.session.execute(_insert(model).values(**values).on_conflict_do_nothing())
    return bool(result.rowcount)


def upsert(model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, or update those whose primary key exists, in one statement. All rows name the same columns."""
    statement = _insert(model)
    keys = [column.name for column in model.__table__.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    db.session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)
