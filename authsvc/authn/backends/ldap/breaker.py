"""What keeps a directory's trouble to itself: few threads, an end to every wait, and no more asking while it is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from authsvc.authn.backends.ldap.answers import DirectoryDown

THREADS = 8  # at most so many wait inside LDAP, in each process
_FAILURES = 5
_PATIENT, _HASTE = 2, 0.5
_PAUSE = 10.0  # seconds before one more is let through

T = TypeVar("T")


class Breaker:
    """Open after five failures in a row: answers at once, and lets one question through every ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._try_again = 0.0
        self._reason = ""

    def before(self) -> None:
        """Raises:
        DirectoryDown: it is open.
        """
        with self._lock:
            if self._failures < _FAILURES:
                return
            if self._clock() < self._try_again:
                raise DirectoryDown(f"{self._reason}; asked again in a few seconds")
            self._try_again = self._clock() + _PAUSE  # this one is the probe

    @property
    def reason(self) -> str:
        """Why it is open; "" if the next question would be asked."""
        with self._lock:
            return self._reason if self._failures >= _FAILURES and self._clock() < self._try_again else ""

    def failed(self, reason: str) -> None:
        with self._lock:
            self._failures += 1
            self._reason = reason
            self._try_again = self._clock() + _PAUSE

    def worked(self) -> None:
        with self._lock:
            self._failures = 0


class Bulkhead:
    """Runs questions on threads of its own; whoever asks waits no longer than `seconds`, and not even half a second while two
    others wait: a server has few threads for requests, and a silent directory must not hold them all."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(THREADS)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ldap")
        self._lock = threading.Lock()
        self._waiting = 0

    def run(self, question: Callable[[], T], seconds: float) -> T:
        """The answer, or the question's own exception.

        Raises:
            DirectoryDown: all threads wait already, or this one took too long (it ends by its own timeouts).
        """
        if not self._places.acquire(blocking=False):
            raise DirectoryDown("too many logins wait for the directory already")
        future = self._pool.submit(question)
        future.add_done_callback(lambda _: self._places.release())
        with self._lock:
            self._waiting += 1
            patience = seconds if self._waiting <= _PATIENT else min(seconds, _HASTE)
        try:
            return future.result(timeout=patience)
        except FutureTimeout:
            raise DirectoryDown(f"the directory took longer than {patience:g} seconds") from None
        finally:
            with self._lock:
                self._waiting -= 1
