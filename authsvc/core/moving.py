"""Moving an installation's rows from one database to another, of any kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import JSON, Connection, MetaData, Table, func, insert, select, text

from authsvc.core.db import Base
from authsvc.core.engines import family
from authsvc.core.errors import Conflict

_ROWS = 1000  # at a time
_MADE_BY_MIGRATIONS = ("policy_version", "login_locks")
_LAST = {
    "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = :name",
    "postgresql": "SELECT last_value FROM pg_sequences WHERE schemaname = current_schema() AND sequencename = :name || '_id_seq'",
    "mariadb": "SELECT auto_increment - 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = :name",
}


def move(
    source: Connection,
    target: Connection,
    tell: Callable[[str, int], None] = lambda table, rows: None,
    keep_going: Callable[[], None] = lambda: None,
) -> int:
    """Copy all rows of a database into one that has the same schema and no rows yet, all or none, and compare what came; how many
    rows that is. `tell` hears of each table; `keep_going` is asked now and then. What `source` reads must be of one moment.

    Raises:
        Conflict: the target holds something, or what came differs.
    """
    moved = 0
    _must_be_empty(target)
    for table in Base.metadata.sorted_tables:
        rows = _copy(source, target, table, keep_going)
        if _fingerprint(source, table, keep_going) != _fingerprint(target, table, keep_going):
            raise Conflict(f"the rows of {table.name} came differently; nothing was moved")
        moved += rows
        tell(table.name, rows)
    target.commit()
    for table in Base.metadata.sorted_tables:
        if table.dialect_options["sqlite"]["autoincrement"]:
            _count_on(target, table, _last_id(source, table))
    target.commit()
    return moved


def _must_be_empty(connection: Connection) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name in _MADE_BY_MIGRATIONS:
            connection.execute(table.delete())
        elif connection.scalar(select(func.count()).select_from(table)):
            raise Conflict(f"the other database is in use: it holds {table.name}")


def _copy(source: Connection, target: Connection, table: Table, keep_going: Callable[[], None]) -> int:
    same, count = table.to_metadata(MetaData()), 0
    for column in same.columns:
        if isinstance(column.type, JSON):
            column.type = JSON(none_as_null=True)
    for rows in _rows(source, table):
        keep_going()
        target.execute(insert(same), rows)
        count += len(rows)
    return count


def _rows(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    ordered = select(table).order_by(*table.primary_key)
    with connection.execute(ordered, execution_options={"yield_per": _ROWS}) as result:
        for part in result.mappings().partitions(_ROWS):
            yield [dict(row) for row in part]


def _fingerprint(connection: Connection, table: Table, keep_going: Callable[[], None]) -> int:
    """Of all values of a table, whatever order its database sorts texts in."""
    total = 0
    for rows in _rows(connection, table):
        keep_going()
        for row in rows:
            said = json.dumps([row[column.name] for column in table.columns], sort_keys=True, default=str)
            total += int.from_bytes(hashlib.sha256(said.encode()).digest(), "big")
    return total


def _last_id(connection: Connection, table: Table) -> int:
    """The highest id that was ever given, also to a row that is gone."""
    highest = int(connection.scalar(select(func.max(table.c.id))) or 0)
    asked = text(_LAST[family(connection.dialect)])
    return max(highest, int(connection.scalar(asked, {"name": table.name}) or 0))


def _count_on(connection: Connection, table: Table, last: int) -> None:
    """New rows get higher ids: an old one in a token or link must not find a new row."""
    match family(connection.dialect):
        case "sqlite":
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), {"name": table.name, "last": last}
            )
        case "postgresql" if last:
            sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name})
            connection.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})
        case "mariadb":
            connection.execute(text(f"ALTER TABLE {table.name} AUTO_INCREMENT = {last + 1:d}"))
