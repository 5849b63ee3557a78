"""Who loses a race begins anew.

PostgreSQL and MariaDB end one of those who wait for each other (a deadlock), undo all that it did, and expect it to come again;
and where two make, change or delete the same thing, the second finds out by a constraint, or by a row that is gone, what it would
have been told had it come a moment later. SQLite has one writer at a time, and knows neither.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import structlog
from sqlalchemy import Engine, event

from authsvc.core.db import db
from authsvc.core.errors import DomainError
from authsvc.core.faults import ERRORS, has_lost_race

T = TypeVar("T")

TRIES = 5
_LONGEST_PAUSE = 0.02  # seconds; by chance, so that those who met do not meet again

_commits: ContextVar[int] = ContextVar("commits", default=0)

log = structlog.get_logger(component="database")


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
