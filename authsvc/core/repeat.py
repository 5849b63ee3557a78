"""What begins anew: who has lost a race, and who has to wait for something outside.

PostgreSQL and MariaDB end one of those who wait for each other (a deadlock), undo all that it did, and expect it to come again;
and where two make, change or delete the same thing, the second finds out by a constraint, or by a row that is gone, what it would
have been told had it come a moment later. SQLite has one writer at a time, and knows neither.

And nobody who writes waits for a network or a hash meanwhile, since others wait for him: that is done before, `outside`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from functools import partial
from typing import NoReturn, TypeVar

import structlog
from flask import g, has_request_context
from sqlalchemy import Engine, event

from authsvc.core.db import db, read_only
from authsvc.core.errors import DomainError
from authsvc.core.faults import ERRORS, has_lost_race

T = TypeVar("T")

TRIES = 5
_LONGEST_PAUSE = 0.02  # seconds; by chance, so that those who met do not meet again

_commits: ContextVar[int] = ContextVar("commits", default=0)

log = structlog.get_logger(component="database")


class _Outside(BaseException):
    """Something is to be done while no transaction is open. Nobody who handles errors handles this one."""

    def __init__(self, name: Hashable, work: Callable[[], object]) -> None:
        super().__init__(name)
        self.name = name
        self.work = work


def outside(name: Hashable, work: Callable[[], T]) -> T:
    """Do what waits while no transaction is open. If one is, the request is undone so far and begins anew, and finds the result
    (or the error) under this name, which means the same each time."""
    done: dict[Hashable, Callable[[], T]] = g.setdefault("done_outside", {}) if has_request_context() else {}
    if name in done:
        return done[name]()
    if has_request_context() and db.session().in_transaction() and not read_only.get():
        raise _Outside(name, work)
    return work()


def dispatched(work: Callable[[], T]) -> T:
    """A request's work, `repeated`, and anew after each thing that was done outside."""
    while True:
        try:
            return repeated(work)
        except _Outside as waiting:
            db.session.rollback()
            g.done_outside[waiting.name] = _outcome(waiting.work)


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    try:
        result = work()
    except DomainError as error:
        return partial(_raise, error)
    return lambda: result


def _raise(error: DomainError) -> NoReturn:
    raise error


def repeated(work: Callable[[], T]) -> T:
    """Do what may be done again as long as nothing of it is committed; again if it lost a race, `TRIES` times at most. `work`
    reads from the database whatever it goes by."""
    for left in reversed(range(TRIES)):
        before = _commits.get()
        try:
            return work()
        except (*ERRORS, DomainError) as error:
            cause = error.__cause__ if isinstance(error, DomainError) else error
            if not left or not has_lost_race(cause) or _commits.get() != before:
                raise
            db.session.rollback()
            log.info("race_lost", error=type(cause).__name__, tries_left=left)
            time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311
    raise AssertionError("the last try returns or raises")


@event.listens_for(Engine, "commit")
def _count(_connection: object) -> None:
    _commits.set(_commits.get() + 1)
