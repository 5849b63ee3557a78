"""Forgetting many rows in transactions that are short, so that nobody who writes waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, delete, inspect, select

from authsvc.core.db import db, transaction

_ROWS = 1000


def forget(model: Any, condition: ColumnElement[bool], keep_going: Callable[[], None] = lambda: None) -> int:
    """Delete the rows of a model, with a primary key of one column, that meet a condition, the lowest keys first; how many that
    is. Opens its own transactions; before each, `keep_going` is called."""
    (key,) = inspect(model).primary_key
    count, last = 0, None
    while True:
        keep_going()
        with transaction():
            batch = select(key).where(condition).order_by(key).limit(_ROWS)
            keys = list(db.session.scalars(batch if last is None else batch.where(key > last)))
            if keys:
                db.session.execute(delete(model).where(key.in_(keys)), execution_options={"synchronize_session": False})
        count += len(keys)
        if len(keys) < _ROWS:
            return count
        last = keys[-1]
