"""Every older schema, with a row in each of its tables, becomes the newest one, and the rows stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import Column, Connection, MetaData, func, insert, inspect, select, sql

from authsvc.core import postgresql, schema
from authsvc.core.base import create_base
from authsvc.core.db import Base, db, patient_connection
from authsvc.core.settings import Settings
from tests.support.databases import Databases

REVISIONS = sorted(path.name.partition("_")[0] for path in (schema.MIGRATIONS / "versions").glob("[0-9]*.py"))
MOVED = {"refresh_tokens": "secrets", "refresh_token_uses": "secret_uses"}
EMPTIED = {"0025": "oidc_arrivals", "0006": "tasks"}  # on purpose


@pytest.fixture
def app(databases: Databases, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database without tables."""
    made = create_base(Settings(state_dir=tmp_path, database_url=databases.bare()))
    yield made
    with made.app_context():
        db.engine.dispose()


def _value(column: Column[Any]) -> Any:
    if column.foreign_keys or (column.primary_key and column.type.python_type is int):
        return 1
    if column.type.python_type is datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)
    if column.type.python_type is str:
        return "{}"[: getattr(column.type, "length", None)]  # also where JSON is a text
    return {dict: {}}.get(column.type.python_type, 1)


def _fill(connection: Connection) -> set[str]:
    """One row with all columns in each table that has none; all tables."""
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    empty = [name for name in sorted(names) if not _count(connection, name)]
    tables = MetaData()
    tables.reflect(connection, only=empty)
    for table in tables.sorted_tables:
        if table.name in empty:
            connection.execute(insert(table).values({column.name: _value(column) for column in table.columns}))
    connection.commit()
    return names


def _count(connection: Connection, table: str) -> int:
    return connection.scalar(select(func.count()).select_from(sql.table(table))) or 0


@pytest.mark.once
@pytest.mark.parametrize("revision", REVISIONS)
def test_an_older_schema_with_data_becomes_the_newest(app: Flask, revision: str) -> None:
    with app.app_context(), patient_connection() as connection:
        schema._migrate(connection, revision)
        old = _fill(connection)
    assert schema.upgrade(app) is (revision != REVISIONS[-1])
    with app.app_context(), db.engine.connect() as connection:
        assert _differences(connection) == []
        kept = {MOVED.get(table, table) for table in old} - {table for at, table in EMPTIED.items() if revision < at}
        assert [table for table in sorted(kept) if not _count(connection, table)] == []


def test_rows_of_every_schema_become_the_newest_step_by_step(app: Flask) -> None:
    filled: set[str] = set()
    with app.app_context(), patient_connection() as connection:
        for revision in REVISIONS:
            schema._migrate(connection, revision)
            there = set(inspect(connection).get_table_names())
            filled = {table if table in there else MOVED[table] for table in filled - {EMPTIED.get(revision)}}
            assert [table for table in sorted(filled) if not _count(connection, table)] == []
            filled |= _fill(connection)
        assert _differences(connection) == []


def _differences(connection: Connection) -> list[Any]:
    """Between the tables and what the models say."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": postgresql.are_told_of})
    return list(compare_metadata(context, Base.metadata))


def test_revisions_are_one_chain() -> None:
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
