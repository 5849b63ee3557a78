"""What a change was: the audited columns of the rows that it touched, before and after.

A model says by `__audited__` which columns those are; a listener notes them, so that no verb can forget it, and the next
entry of the same transaction takes them along. What is not named is not told: no secret, and no hash of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from authsvc.core.clock import rfc3339
from authsvc.core.db import db

Changes = dict[str, list[Any]]  # column -> [before, after]
_NOTED = "audit_changes"
_MAX_TEXT = 500


class Audited:
    """A mixin for tables whose changes the audit log tells."""

    __audited__: ClassVar[tuple[str, ...]] = ()


@event.listens_for(db.session, "before_flush")
def _note(session: Session, _context: object, _instances: object) -> None:
    for row in (*session.new, *session.dirty):
        if isinstance(row, Audited):
            session.info.setdefault(_NOTED, {}).setdefault(id(row), {}).update(_changed(row))


@event.listens_for(db.session, "after_commit")
@event.listens_for(db.session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_NOTED, None)


def take() -> Changes:
    """What changed in this transaction since the last time, told once."""
    db.session.flush()
    taken: Changes = {}
    for number, changes in enumerate(db.session.info.pop(_NOTED, {}).values()):
        prefix = f"{number}." if number and taken.keys() & changes.keys() else ""
        taken |= {prefix + name: values for name, values in changes.items()}
    return taken


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """The keys whose values differ; None stands for what is not there."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: [_shown(before.get(name)), _shown(after.get(name))] for name in names}


def _changed(row: Audited) -> Changes:
    return dict(pair for name in row.__audited__ for pair in _of_column(row, name))


def _of_column(row: Audited, name: str) -> Iterator[tuple[str, list[Any]]]:
    history = inspect(row, raiseerr=True).attrs[name].history
    if not history.has_changes():
        return
    before, after = (values[0] if values else None for values in (history.deleted, history.added))
    if isinstance(after, dict):
        yield from difference(before or {}, after).items()
    elif before != after:
        yield name, [_shown(before), _shown(after)]


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value[:_MAX_TEXT] if isinstance(value, str) else value
