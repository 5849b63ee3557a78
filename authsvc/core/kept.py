"""What somebody else tells us, kept for a while: asked for by one at a time, and not again soon after a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from authsvc.core.errors import Unavailable

T = TypeVar("T")

_PAUSE = 10  # seconds after a failure in which nobody asks again
_WAITERS = 3  # so many wait while somebody asks: a process has few threads, and others need them
_WAIT = 2.0  # seconds


class Kept(Generic[T]):
    """Shared by the threads of a process. `fetch` may take its time and raise `Unavailable`; `seconds`: how long its answer is
    good; `longest`: how long it is used where there is no newer one to be had."""

    def __init__(
        self, fetch: Callable[[], T], seconds: float, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._longest = longest
        self._clock = clock
        self._changed = threading.Condition()
        self._value: T | None = None
        self._fetched_at = 0.0
        self._is_asked = False
        self._waiting = 0
        self._trouble: Unavailable | None = None
        self._asked_again_at = 0.0

    def get(self, *, younger_than: float | None = None) -> T:
        """The value, no older than so many seconds if that is said.

        Raises:
            Unavailable: it is not to be had, was not a moment ago, or others wait for it already.
        """
        limit = self._longest if younger_than is None else younger_than
        with self._changed:
            kept = self._if_younger_than(self._seconds if younger_than is None else younger_than)
            if kept is not None:
                return kept
            kept = self._if_younger_than(limit)
            if self._is_asked or self._clock() < self._asked_again_at:
                return kept if kept is not None else self._others(limit)
            self._is_asked = True
        try:
            value = self._fetch()
        except BaseException as error:
            with self._changed:
                self._trouble = error if isinstance(error, Unavailable) else None
                self._asked_again_at = self._clock() + _PAUSE
                self._end()
            if kept is not None and isinstance(error, Unavailable):
                return kept
            raise
        with self._changed:
            self._value, self._fetched_at, self._trouble = value, self._clock(), None
            self._asked_again_at = 0.0
            self._end()
        return value

    def _if_younger_than(self, seconds: float) -> T | None:
        return self._value if self._value is not None and self._clock() - self._fetched_at <= seconds else None

    def _end(self) -> None:
        self._is_asked = False
        self._changed.notify_all()

    def _others(self, limit: float) -> T:
        """What somebody else is told, who asks already, or what he was told a moment ago."""
        if self._is_asked and self._waiting < _WAITERS:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._is_asked, timeout=_WAIT)
            self._waiting -= 1
            kept = self._if_younger_than(limit)
            if kept is not None:
                return kept
        if self._trouble is not None and not self._is_asked:
            raise Unavailable(self._trouble.message, retry_after=_PAUSE)
        raise Unavailable("it is being asked for already and does not answer", retry_after=2)
