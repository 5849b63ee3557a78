"""Inserting what others may insert at the same moment: one statement each, and what it means is the same on every database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, literal_column
from sqlalchemy.dialects import mysql, postgresql, sqlite

from authsvc.core.db import Base, db, family

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert, "mariadb": mysql.insert}
_KEPT = 2**64 - 1  # an id that no row has


def insert_ignore(model: type[Base], **values: Any) -> bool:
    """Insert a row unless one with the same unique key exists; True if this call inserted it. Safe between processes."""
    statement = _INSERTS[family()](model).values(**values)
    if family() == "mariadb":
        db.session.flush()  # here, so that what fails below is this row
        result: Any = db.session.connection().execute(_keep(model, statement))
        return bool(result.lastrowid != _KEPT)
    # Asked for, since SQLAlchemy does not keep it of every INSERT: PostgreSQL's would be -1.
    result = db.session.execute(statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return bool(result.rowcount == 1)


def insert_fixed(model: type[Base], **values: Any) -> None:
    """Insert a row of something that is never changed, unless it is there. On MariaDB those who meet it at once share it (INSERT
    IGNORE; the values fit, or they would be cut): who locked it would keep out all whose rows refer to it, and they him."""
    statement = _INSERTS[family()](model).values(**values)
    if family() == "mariadb":
        db.session.execute(statement.prefix_with("IGNORE"))
    else:
        db.session.execute(statement.on_conflict_do_nothing())


def insert_missing(model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for many rows, in one statement."""
    if family() == "mariadb":
        db.session.execute(_INSERTS[family()](model).prefix_with("IGNORE"), rows)
    else:
        db.session.execute(_INSERTS[family()](model).on_conflict_do_nothing(), rows)


def _keep(model: type[Base], statement: mysql.Insert) -> mysql.Insert:
    """MariaDB's INSERT that keeps the duplicate that it meets, and says so by its "last id".

    Not INSERT IGNORE, which ignores more: it cuts what is too long, and drops what breaks a foreign key. Nor a plain INSERT
    whose error says it: that one leaves the duplicate shared among all who met it, and each that then changes or inserts
    such a row waits for the others. This one locks it.
    """
    key = next(iter(model.__table__.primary_key))
    same = getattr(func, "if")(func.last_insert_id(literal_column(str(_KEPT))) == 0, key, key)
    return statement.on_duplicate_key_update({key.name: same})


def insert_or_lock(model: type[Base], unique: str, **values: Any) -> None:
    """Insert a row, or lock the one that has the same value in its `unique` column: it is there afterwards, and nobody else's
    until the transaction ends."""
    statement = _INSERTS[family()](model).values(**values)
    if family() == "mariadb":
        statement = statement.on_duplicate_key_update({unique: statement.inserted[unique]})
    else:
        statement = statement.on_conflict_do_update(index_elements=[unique], set_={unique: statement.excluded[unique]})
    db.session.flush()
    db.session.connection().execute(statement)


def upsert(model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows, or update those whose primary key exists, in one statement. All rows name the same columns."""
    statement = _INSERTS[family()](model)
    keys = [column.name for column in model.__table__.primary_key]
    changed = [name for name in rows[0] if name not in keys]
    if family() == "mariadb":
        statement = statement.on_duplicate_key_update({name: statement.inserted[name] for name in changed})
    else:
        new = {name: statement.excluded[name] for name in changed}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=new)
    db.session.connection().execute(statement, rows)
