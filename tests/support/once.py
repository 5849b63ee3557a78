"""What is made once for all tests, and by one of them alone: several processes run tests at the same time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_maker(directory: Path) -> Iterator[None]:
    """Others wait here until whoever is in has left, or has died."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
