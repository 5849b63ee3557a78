"""So many at a time on this host, whatever process they are in."""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.005  # seconds


class Taken(Exception):
    """No place became free in time."""


@contextmanager
def place(directory: Path, number: int, patience: float) -> Iterator[None]:
    """Hold one of that many places; the files in the directory are locked by whoever holds them, and free when he dies.

    Raises:
        Taken: after `patience` seconds.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = time.monotonic() + patience
    while True:
        for chosen in random.sample(range(number), number):
            file = os.open(directory / str(chosen), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            try:
                yield
            finally:
                os.close(file)
            return
        if time.monotonic() >= until:
            raise Taken
        time.sleep(_PAUSE)
