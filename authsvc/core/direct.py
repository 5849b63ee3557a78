"""Reading past sessions and transactions, for what is asked before an answer can be given: a connection of its own for each
thread, in autocommit, so that one statement costs one statement."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable

from authsvc.core import deadlines
from authsvc.core.errors import Unavailable

T = TypeVar("T")
_LONG = 1.0  # seconds
_THREADS = Path("/proc/self/task")


@dataclass(slots=True)
class _Own:
    """One thread's connection, and a cursor of its driver once one was asked for.

    It is held by the reader as well as by the thread, so that nothing is destroyed while a thread ends: granian's threads are
    not Python's, and Python code that runs when their state is taken down (a `__del__`, a driver's) ends the process.
    """

    connection: Connection
    cursor: Any = None

    def close(self) -> None:
        with suppress(Exception):  # it is broken, or the server has closed it already
            self.connection.close()


class DirectReader:
    """Answers are always of what is committed now; nothing is held open between two of them.

    Servers start and end threads as they have work for them. A connection whose thread has ended is closed when the next one
    is opened.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._local = threading.local()
        self._opened: dict[int, _Own] = {}  # by the thread's number in the kernel
        self._lock = threading.Lock()

    def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Any:
        """Run a SELECT with the values of its parameters.

        Raises:
            Unavailable: the database does not answer, also not on a new connection.
        """
        return self.attempt(lambda: self.connection.execute(statement, values))

    def attempt(self, read: Callable[[], T]) -> T:
        """Do it; if that fails, once more on a new connection, since the old one may have died. Who has waited long for the
        failure does not wait again.

        Raises:
            Unavailable
        """
        begun = time.monotonic()
        try:
            return read()
        except Exception as error:  # a driver's own error types, too
            self._drop()
            if time.monotonic() - begun > _LONG:
                raise Unavailable("the database does not answer", retry_after=5) from error
        try:
            return read()
        except Exception as error:
            self._drop()
            raise Unavailable("the database does not answer", retry_after=5) from error

    @property
    def connection(self) -> Connection:
        """The connection of the thread that asks."""
        return self.own.connection

    @property
    def own(self) -> _Own:
        """What the thread that asks has here."""
        try:
            own: _Own = self._local.own
        except AttributeError:
            own = self._local.own = self._open()
        return own

    def close(self) -> None:
        """Close every connection."""
        self._local = threading.local()
        with self._lock:
            while self._opened:
                self._opened.popitem()[1].close()

    def _open(self) -> _Own:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # ours from here on, however long this thread lives
        deadlines.hurry(connection)
        own = _Own(connection)
        with self._lock:
            for number in [number for number in self._opened if not (_THREADS / str(number)).exists()]:
                self._opened.pop(number).close()
            if (before := self._opened.pop(threading.get_native_id(), None)) is not None:  # of a thread with the same number
                before.close()
            self._opened[threading.get_native_id()] = own
        return own

    def _drop(self) -> None:
        self._local.__dict__.pop("own", None)
        with self._lock:
            own = self._opened.pop(threading.get_native_id(), None)
        if own is not None:
            own.close()
