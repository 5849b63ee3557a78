"""The database's schema: alembic migrations, one process at a time; all or none, but on MariaDB, which commits at each
change of a table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, inspect, text

from authsvc.core import copies, postgresql
from authsvc.core.db import patient_connection
from authsvc.core.engines import family
from authsvc.core.errors import PreconditionFailed, Unavailable

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_LOCK = 0x71DE6A7E  # any number that nobody else locks with


def upgrade(app: Flask) -> bool:
    """Bring the schema to the newest revision; True if there was anything to do. Waits while another process does it. A SQLite
    file that holds anything is copied before.

    Raises:
        PreconditionFailed: the schema is newer, or the database is empty and cannot hold all text.
    """
    with app.app_context(), patient_connection() as connection:
        copies.before(connection, present(connection), newest())
        connection.rollback()
        return _upgrade(connection)


def _upgrade(connection: Connection) -> bool:
    with locked(connection):
        found = present(connection)
        if found > newest():
            raise newer(found)
        is_old = found != newest()
        if not found:
            postgresql.must_be_unicode(connection)
        if is_old:
            _migrate(connection)
        postgresql.make_indexes(connection)
        connection.commit()
        return is_old


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the schema: its revision, and what it is about."""

    revision: str
    about: str


def steps_from(found: str) -> list[Step]:
    """What has to be done to bring a schema to the newest revision, in this order."""
    files = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
    about = {path.name.partition("_")[0]: ast.get_docstring(ast.parse(path.read_text())) or "" for path in files}
    return [Step(revision, said.partition("\n")[0]) for revision, said in about.items() if revision > found]


def newest() -> str:
    """The newest revision; they are numbered, and their files begin with the number."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def newer(found: str) -> PreconditionFailed:
    """What to say of a schema that is newer than we are."""
    return PreconditionFailed(
        f"the database was made by a newer Tidegate: its schema is {found}, this one knows {newest()}. Go back to that release,"
        " or to the copy of the database that was made before it was changed (docs/operations.md, Upgrades)"
    )


def present(connection: Connection) -> str:
    """The revision that the database has; "" if it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def _migrate(connection: Connection, revision: str = "head") -> None:
    # Loaded when there is something to do: it takes a quarter of a second, at each start.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    if connection.dialect.name == "sqlite" and (broken := connection.execute(text("PRAGMA foreign_key_check")).all()):
        raise RuntimeError(f"the new schema would leave rows that refer to nothing: {broken[:3]}")


@contextmanager
def locked(connection: Connection) -> Iterator[None]:
    """One process at a time, of all nodes, until the connection's transaction ends. SQLite: the transaction (BEGIN IMMEDIATE) is
    the lock. The others: an advisory one, on MariaDB until the connection is closed.

    Raises:
        Unavailable: another process has been at it for a minute.
    """
    match family(connection.dialect):
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        case "mariadb":  # the name is the server's, so our database is a part of it
            mine = connection.scalar(text("SELECT GET_LOCK(CONCAT('tidegate-', SHA1(DATABASE())), 60)"))
            if mine != 1:
                raise Unavailable("another process has been changing the schema for a minute", retry_after=60)
    yield
