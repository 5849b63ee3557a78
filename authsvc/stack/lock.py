"""One Tidegate on a state directory: who runs it, or prepares it, holds a lock, and is known by its process id."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authsvc.core.errors import Conflict
from authsvc.core.layout import Layout


def _file(layout: Layout) -> Path:
    return layout.root / "run" / "lock"


@contextmanager
def held(layout: Layout) -> Iterator[None]:
    """Nobody else runs or prepares on this state directory meanwhile, on this host.

    Raises:
        Conflict: somebody does.
    """
    file = _file(layout)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                f"Tidegate is running on {layout.root} already (process {owner(layout) or 'unknown'}): `authsvc status` shows it,"
                " `authsvc down` stops it"
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def owner(layout: Layout) -> int:
    """The process that holds it; 0 if nobody does."""
    try:
        descriptor = os.open(_file(layout), os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return int(os.read(descriptor, 20) or b"0")
    finally:
        os.close(descriptor)
    return 0


def wait_until_free(layout: Layout, seconds: float) -> bool:
    """Wait for its owner to end; False if it has not by then."""
    deadline = time.monotonic() + seconds
    while owner(layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
