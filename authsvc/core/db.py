"""The database: one declarative base, one session; SQLite (WAL), PostgreSQL or MariaDB by URL.

Flask-SQLAlchemy is dormant, so it stays behind this file: models use our own `Base`, everybody else imports `db`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, current_app, has_app_context, has_request_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from authsvc.core import deadlines, engines, turns
from authsvc.core.errors import NotFound
from authsvc.core.faults import told

# SQLite locks at the first write; a reader that becomes a writer is refused at once when somebody else wrote in
# between. So whoever may write takes the lock first (BEGIN IMMEDIATE, and waits its turn); readers say that they only read.
read_only: ContextVar[bool] = ContextVar("read_only", default=False)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database, to the microsecond; SQLite and MariaDB would drop the zone."""

    impl = DateTime(timezone=False).with_variant(mysql.DATETIME(fsp=6), *engines.MARIADB)
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


STRICT = False  # tests are
_PATIENT = 60.0  # seconds for which a change of the schema waits for another one
SQLITE_SYNCHRONOUS = "FULL"  # what was committed survives a power cut


log = structlog.get_logger(component="database")


def utcnow() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def init(app: Flask, url: str, password: Path | None = None, *, pooled: bool = False) -> None:
    """Bind `db` to the application and the database at `url`; `password`: the file that holds its password; `pooled`: a pooler
    is between."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["DATABASE_PASSWORD_FILE"] = password
    app.config["DATABASE_POOLED"] = pooled
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engines.options(url, pooled=pooled)
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _tune_sqlite(db.engine)
        engines.expect_ends(db.engine)
        engines.show_password(db.engine, password)
        deadlines.bound(db.engine)


@contextmanager
def patient_connection() -> Iterator[Connection]:
    """A connection for changes of the schema, which may take long; closed for good afterwards. On SQLite it does not hold
    foreign keys: a table is changed by making it anew, and dropping the old one must not take along what refers to it."""
    url = db.engine.url
    engine = create_engine(url, **engines.options(url, patient=True, pooled=current_app.config["DATABASE_POOLED"]))
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, foreign_keys=False, wait=_PATIENT)
    engines.show_password(engine, current_app.config["DATABASE_PASSWORD_FILE"])
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _tune_sqlite(engine: Engine, *, foreign_keys: bool = True, wait: float = turns.WAIT) -> None:
    engine.dialect.statement_compiler = engines.Sqlite

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={SQLITE_SYNCHRONOUS}",
            f"foreign_keys={foreign_keys}",
            f"busy_timeout={wait * 1000:.0f}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            if read_only.get():
                connection.exec_driver_sql("BEGIN")
            else:
                turns.begin(connection, wait)

    @event.listens_for(engine, "checkin")
    def end(connection: object, record: object) -> None:
        turns.end()


@contextmanager
def reading() -> Iterator[None]:
    """A transaction that only reads: on SQLite it neither waits for writers nor holds them up. It ends with the block.

    Raises:
        Unavailable: all connections are in use.
    """
    _must_be_alone()
    token = read_only.set(True)
    try:
        yield
    except PoolTimeout as error:
        raise told(error) or error from error
    finally:
        db.session.rollback()
        read_only.reset(token)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what happens inside, or roll all of it back; for edges without a request (tasks, commands, the recorder), and for
    what a request that only reads has to write nevertheless (that somebody logged in).

    Raises:
        Unavailable: the database cannot be reached or is locked for too long.
        Conflict: somebody else made, changed or removed the same thing at the same time.
    """
    _must_be_alone()
    if read_only.get():
        db.session.rollback()  # a transaction that began as a reader's is not one to write in
    token = read_only.set(False)
    try:
        yield
        db.session.commit()
    except BaseException as error:
        db.session.rollback()
        meaning = told(error)
        if meaning is not None:
            raise meaning from error
        raise
    finally:
        read_only.reset(token)


def let_go() -> None:
    """End the transaction in which a request has looked around so far: what follows has several of its own."""
    db.session.rollback()


def _must_be_alone() -> None:
    """What a request does belongs to one transaction; a second one would end it half-way."""
    if has_request_context():
        must_be_free("another transaction")


def must_be_free(what: str) -> None:
    """Said by whatever waits for something outside (a network, a hash): it may not have begun to write, since others wait for
    that to end. A mistake of ours: an error in tests, and a line in the log."""
    if read_only.get() or not has_app_context() or not db.session().in_transaction():
        return
    if STRICT:
        raise AssertionError(f"{what} in the middle of a transaction")
    log.error("waits_while_writing", what=what, stack_info=True)


def family() -> str:
    """Which database this is: `sqlite`, `postgresql` or `mariadb`."""
    return engines.family(db.session.get_bind().dialect)


_PRESENT = {"postgresql": "SELECT timezone('UTC', clock_timestamp())", "mariadb": "SELECT utc_timestamp(6)"}


def present() -> datetime:
    """The present by the database's clock, for what several processes go by: theirs may differ. SQLite's is its host's."""
    statement = _PRESENT.get(family())
    if statement is None:
        return utcnow()
    moment: datetime = db.session.scalars(text(statement)).one()
    return moment.replace(tzinfo=UTC)


def hold(row: Base) -> None:
    """Read a row anew and lock it until the transaction ends: for who changes or counts what belongs to it, before anything else.
    Rows that refer to it can still be inserted (FOR NO KEY UPDATE, on PostgreSQL).

    Raises:
        NotFound: somebody else has deleted it.
    """
    if db.session.get(type(row), inspect(row).identity, with_for_update={"key_share": True}, populate_existing=True) is None:
        raise NotFound("somebody else has deleted it at this moment")
