"""Waiting for what comes by itself: as long as it takes, not as long as somebody guessed. How fast it is, is measured in
`tests/bench`; here a busy machine makes nothing fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

GENEROUS = 60.0  # seconds; of what takes a few on a quiet machine

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = GENEROUS) -> T:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
    return found
