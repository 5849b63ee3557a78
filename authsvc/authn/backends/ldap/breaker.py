"""What keeps a directory's trouble to itself: few threads, an end to every wait, and no more asking while it is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from authsvc.authn.backends.ldap.answers import Busy, DirectoryDown, TooSlow

THREADS = 6  # at most so many wait inside LDAP, in each process; of the eight that answer for tokens two are left
_FAILURES = 5
_PAUSE = 10.0  # seconds before one more is let through
_PATIENT = 2  # so many may wait to the end while nothing is heard
_SILENCE = 0.25, 1.0  # seconds after which nothing is heard, by how long answers usually take

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
    """Runs questions on threads of its own. Whoever asks waits no longer than `seconds`; and while directories are silent for
    longer than is usual for them, only two wait at all: a server has few threads for requests, and none for waiting in vain."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places = threading.BoundedSemaphore(THREADS)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ldap")
        self._lock = threading.Lock()
        self._waiting = 0
        self._heard = 0.0  # when a question was answered last, or asked while nobody waited
        self._usual = 0.1  # seconds that an answer takes, smoothed

    def run(self, question: Callable[[], T], seconds: float) -> T:
        """The answer, or the question's own exception.

        Raises:
            Busy: all threads, or all who may wait, are taken; says nothing of the directory that would have been asked.
            TooSlow: nobody waits for it any more; the thread ends by its own timeouts.
        """
        with self._lock:
            if not self._waiting:
                self._heard = self._clock()
            patient = self._waiting < _PATIENT
            self._waiting += 1
        until = self._clock() + seconds
        try:
            if (not patient and self._silent()) or not self._take_place(until):
                raise Busy("too many logins wait for the directory already")
            future = self._pool.submit(self._timed, question)
            future.add_done_callback(lambda _: self._places.release())
            return self._wait(future, until, patient=patient)
        finally:
            with self._lock:
                self._waiting -= 1

    def _take_place(self, until: float) -> bool:
        """Places are taken for a moment only, unless the directory is silent."""
        while not self._places.acquire(timeout=max(0.0, min(until, self._heard + self._patience) - self._clock())):
            if self._silent() or self._clock() >= until:
                return False
        return True

    def _timed(self, question: Callable[[], T]) -> T:
        start, answered = self._clock(), True
        try:
            return question()
        except DirectoryDown:
            answered = False
            raise
        finally:
            if answered:  # with whatever
                self._heard = self._clock()
                self._usual += (self._heard - start - self._usual) / 4

    def _silent(self) -> bool:
        return self._clock() - self._heard >= self._patience

    @property
    def _patience(self) -> float:
        return min(max(_SILENCE[0], 4 * self._usual), _SILENCE[1])

    def _wait(self, future: Future[T], until: float, *, patient: bool) -> T:
        while True:
            wake = until if patient else min(until, self._heard + self._patience)
            try:
                return future.result(timeout=max(0.0, wake - self._clock()))
            except FutureTimeout:
                if self._clock() >= until:
                    raise TooSlow("the directory did not answer in time") from None
                if not patient and self._silent():
                    raise Busy("the directory is silent, and others wait for it already") from None
