"""Reading past sessions and transactions, for what is asked before an answer can be given: a connection of its own for each
thread, in autocommit, so that one statement costs one statement."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable

from authsvc.core.errors import Unavailable

T = TypeVar("T")


class DirectReader:
    """Answers are always of what is committed now; nothing is held open between two of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._local = threading.local()
        self._opened: set[Connection] = set()

    def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Any:
        """Run a SELECT with the values of its parameters.

        Raises:
            Unavailable: the database does not answer, also not on a new connection.
        """
        return self.attempt(lambda: self.connection.execute(statement, values))

    def attempt(self, read: Callable[[], T]) -> T:
        """Do it; if that fails, once more on a new connection, since the old one may have died.

        Raises:
            Unavailable
        """
        try:
            return read()
        except Exception:  # a driver's own error types, too
            self._drop()
        try:
            return read()
        except Exception as error:
            self._drop()
            raise Unavailable("the database does not answer", retry_after=5) from error

    @property
    def connection(self) -> Connection:
        """The connection of the thread that asks."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # ours from here on, however long this thread lives
            self._local.connection = connection
            self._opened.add(connection)
        return connection

    def close(self) -> None:
        """Close every connection."""
        while self._opened:
            self._opened.pop().close()
        self._local = threading.local()

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        self._local.__dict__.clear()
        if connection is not None:
            self._opened.discard(connection)
            with suppress(Exception):  # it is broken already
                connection.close()
