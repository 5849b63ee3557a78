"""Waiting for what takes long without being taken for dead: it is done in threads, while whoever waits says that he is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PULSE = 1.0  # seconds between two looks


def each(work: Callable[[T], R], about: Iterable[T], look: Callable[[], object], at_once: int = 1) -> list[R]:
    """Do it to each, so many at once, and return what came of it in this order. `look` is called by the thread that waits, about
    once a second and after each; it may raise. The first that fails ends it: what has not begun is not begun, and what has is not
    waited for. `work` has no application context and no database.

    Raises:
        What `work` or `look` raises.
    """
    pool = ThreadPoolExecutor(at_once)
    try:
        results = []
        for future in [pool.submit(work, one) for one in about]:
            while not wait([future], _PULSE).done:
                look()
            results.append(future.result())
            look()
        return results
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
