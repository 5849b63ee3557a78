"""What errors of the database mean to whoever asked: once for requests, commands, jobs and the token endpoint."""

from __future__ import annotations

import warnings
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SAWarning, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from authsvc.core.errors import Conflict, DomainError, Unavailable, Unprocessable

# That a row is gone which is to be deleted, SQLAlchemy only warns of; whoever deleted it is the one who did.
warnings.filterwarnings("error", "DELETE statement on table", SAWarning)
ERRORS = (SQLAlchemyError, SAWarning)
_OVERTAKEN = (IntegrityError, StaleDataError, ObjectDeletedError, SAWarning)
# SQLSTATE of PostgreSQL (class 40, "transaction rollback"), and MariaDB's numbers for a deadlock and for a row that has changed.
_UNDONE = frozenset({"40001", "40P01", 1213, 1020})


def is_outage(error: BaseException) -> bool:
    """True if the database is down, locked, unreachable or met a deadlock, rather than asked for something wrong."""
    return isinstance(error, DBAPIError) and (error.connection_invalidated or type(error).__name__ == "OperationalError")


def has_lost_race(error: BaseException | None) -> bool:
    """True if somebody else was faster by less than a transaction, or the database undid ours for his sake: the same again meets
    what he made, or succeeds."""
    return isinstance(error, _OVERTAKEN) or (isinstance(error, DBAPIError) and _code(error) in _UNDONE)


def _code(error: DBAPIError) -> Any:
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate or next(iter(error.orig.args if error.orig else ()), None)


def told(error: BaseException) -> DomainError | None:
    """An error of the database as what it means; None if it is a mistake of ours."""
    if isinstance(error, PoolTimeout):
        return Unavailable("all connections to the database are busy", retry_after=1)
    if is_outage(error):
        return Unavailable("the database does not answer", retry_after=5)
    if isinstance(error, _OVERTAKEN):
        return Conflict("it was made or changed, or what it needs was removed, by somebody else at the same time")
    if isinstance(error, DataError):
        return Unprocessable("a value is too long, or out of the range of what can be stored")
    return None
