"""Indexes that PostgreSQL alone needs: for parts of names, by its extension pg_trgm, which comes with it; and for names in the
order of their bytes, where its own order is the locale's.

A column says so by its `info`: `SEARCHED`, `BY_BYTES`. To make the extension may take a superuser (docs/operations.md). Without
these indexes everything is found all the same, only slowly; so no model and no migration names them, and each start makes what
is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, text
from sqlalchemy.exc import DBAPIError

from authsvc.core.db import Base
from authsvc.core.errors import PreconditionFailed

SEARCHED: dict[Any, Any] = {"searched": True}
BY_BYTES: dict[Any, Any] = {"by_bytes": True}
_MADE = ("_trgm", "_bytes")


def must_be_unicode(connection: Connection) -> None:
    """Names in every language are to be kept and compared.

    Raises:
        PreconditionFailed: this is PostgreSQL, and the database was made with another encoding.
    """
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise PreconditionFailed(
            f"the database has the encoding {encoding}, and UTF8 is needed: make another one, by"
            " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def make_indexes(connection: Connection) -> bool:
    """Make those that are missing; False if this is no PostgreSQL, or there is no such extension and we may not make it."""
    if connection.dialect.name != "postgresql":
        return False
    for column in _columns("by_bytes"):
        _make(connection, column, "_bytes", f'({column.name} COLLATE "C")')
    if not _has_extension(connection):
        return False
    for column in _columns("searched"):
        _make(connection, column, "_trgm", f"USING gin ({column.name} gin_trgm_ops)")
    return True


def are_told_of(_: Any, name: str | None, type_: str, *__: Any) -> bool:
    """For alembic's `include_object`: False for these indexes."""
    return type_ != "index" or not str(name).endswith(_MADE)


def _columns(kind: str) -> Iterator[Column[str]]:
    for table in Base.metadata.sorted_tables:
        yield from (column for column in table.columns if column.info.get(kind))


def _make(connection: Connection, column: Column[str], suffix: str, definition: str) -> None:
    table = column.table.name
    connection.execute(text(f"CREATE INDEX IF NOT EXISTS ix_{table}_{column.name}{suffix} ON {table} {definition}"))


def _has_extension(connection: Connection) -> bool:
    if connection.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")):
        return True
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION pg_trgm"))
    except DBAPIError:  # not installed, or not ours to make
        return False
    return True
