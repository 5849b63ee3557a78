"""Taking turns at writing to SQLite, which has one writer at a time and no queue.

Whoever waits in SQLite's own way sleeps longer each time, up to 100 ms, and whoever begins anew right after a commit is nearly
always faster: eight who write in a loop keep one another out for good. So whoever waits looks often, and whoever has just written
waits for a moment before the next time.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from typing import Any

from sqlalchemy import Connection

WAIT = 5.0  # seconds
_LOOK = (0.0005, 0.002)  # seconds between two looks of who waits
_MOMENT = 0.001  # seconds in which who has just written lets others go first
_BEGIN = "BEGIN IMMEDIATE"
_PRIMARY = 0xFF  # of an extended result code

_own = threading.local()  # `is_writing`, and `end`: when it was over


def begin(connection: Connection, wait: float = WAIT) -> None:
    """Begin to write, when it is our turn.

    Raises:
        sqlalchemy.exc.OperationalError: it was not, for `wait` seconds.
    """
    if time.monotonic() - getattr(_own, "end", 0.0) < _MOMENT:
        time.sleep(_MOMENT)
    deadline = time.monotonic() + wait
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < deadline and _is_busy(raw):
            time.sleep(random.uniform(*_LOOK))  # noqa: S311 - so that no two look in step
        if not raw.in_transaction:
            connection.exec_driver_sql(_BEGIN)  # says what is wrong
    finally:
        raw.execute(f"PRAGMA busy_timeout={wait * 1000:.0f}")
    _own.is_writing = True


def _is_busy(raw: sqlite3.Connection) -> bool:
    """Begin, unless somebody else writes. Whatever else is wrong is not waited for."""
    try:
        raw.execute(_BEGIN)
    except sqlite3.Error as error:
        return error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
    return False


def end() -> None:
    """Said when a connection is given back: a transaction of this thread is over."""
    if getattr(_own, "is_writing", False):
        _own.is_writing, _own.end = False, time.monotonic()
