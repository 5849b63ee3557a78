"""Work that can wait: gathered in memory, and done together by a thread every so many seconds.

What a killed process had not done yet is lost; nothing that was promised may depend on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakSet

import structlog
from sqlalchemy.exc import SQLAlchemyError

from authsvc.core.errors import DomainError

_all: WeakSet[Flusher] = WeakSet()


def stop_all() -> None:
    """End the threads of every flusher in this process: before the database that they write to is let go."""
    for flusher in list(_all):
        flusher.stop()


class Flusher:
    """Calls `flush` every so many `seconds`, from the first `start` on: servers fork before that."""

    def __init__(self, name: str, seconds: float, flush: Callable[[], None]) -> None:
        self._name = name
        self._seconds = seconds
        self._flush = flush
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        _all.add(self)

    def start(self) -> None:
        """Make sure that the thread runs; costs next to nothing when it does."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._ended.clear()
                    self._thread = threading.Thread(target=self._run, daemon=True, name=self._name)
                    self._thread.start()

    def stop(self) -> None:
        """End the thread, after what it does at this moment; what is gathered waits for the next start."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._ended.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._flush()
            except (SQLAlchemyError, DomainError) as error:
                structlog.get_logger(component=self._name).warning("not_noted", error=type(error).__name__)
