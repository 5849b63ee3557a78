"""One page of a select, and how many rows there are: exactly, and without looking at more of them than it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, func

from authsvc.core.db import Identified, db

_FEW = 2000  # rows that are found rather than counted

Rows = Select[*tuple[Any, ...]]


def fetch(statement: Rows, size: int, skipped: int, *, scalars: bool, counted: Rows | None) -> tuple[Sequence[Any], int]:
    """So many rows (0 or below: all) behind those that are skipped, and how many there are; rows of one entity, or tuples
    unless `scalars`. `counted`: a select of as many rows that is simpler."""
    entity = _entity(statement)
    found = _few(statement, entity) if entity is not None and statement.whereclause is not None else None
    total = _count(statement if counted is None else counted) if found is None else len(found)
    if skipped >= total:
        return [], total
    if found is not None:
        statement = _by_id(statement, entity, found)
        statement = statement.limit(size).offset(skipped) if size > 0 else statement
    elif size > 0:
        statement = _narrowed(statement, entity, size, skipped)
    return db.session.scalars(statement).all() if scalars else db.session.execute(statement).all(), total


def _entity(statement: Rows) -> Any:
    """The model that the rows are of, if they are of one with an id."""
    first, *others = statement.column_descriptions
    entity = first["entity"]
    return entity if not others and isinstance(entity, type) and issubclass(entity, Identified) else None


def _count(statement: Rows) -> int:
    return db.session.scalar(statement.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)) or 0


def _few(statement: Rows, entity: Any) -> list[int] | None:
    """The ids of all rows, in no order, if they are few. To find few among very many takes looking at all of these, and so it
    is done once: to count them and then to look for them along an index in their order would do it twice, and slower."""
    ids = statement.with_only_columns(entity.id, maintain_column_froms=True).order_by(None).limit(_FEW + 1)
    found = list(db.session.scalars(ids))
    return found if len(found) <= _FEW else None


def _narrowed(statement: Rows, entity: Any, size: int, skipped: int) -> Rows:
    """The rows of one page. Of entities their ids are found first, from an index or at least without the rest of each row: what
    is skipped need not be read, and what is sorted is small."""
    if entity is None:
        return statement.limit(size).offset(skipped)
    ids = statement.with_only_columns(entity.id, maintain_column_froms=True).limit(size).offset(skipped)
    return _by_id(statement, entity, list(db.session.scalars(ids)))


def _by_id(statement: Rows, entity: Any, ids: list[int]) -> Rows:
    """Only these rows, found by nothing else: of an index that leads in the same order SQLite would look through all of it."""
    chosen: BindParameter[list[int]] = bindparam("ids", ids, unique=True, expanding=True, literal_execute=True)
    return statement.where(entity.id.in_(chosen)).with_hint(entity, "NOT INDEXED", "sqlite")
