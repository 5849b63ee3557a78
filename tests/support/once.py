"""What is made once for all tests of this machine, and by one of them alone: several processes run tests at the same time, and
checkouts come and go."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tidegate-tests")


def place(name: str, recipe: str) -> Path:
    """Where something is kept that is made by this recipe: another recipe, another place."""
    return CACHE / name / hashlib.sha256(recipe.encode()).hexdigest()[:16]


@contextmanager
def one_maker(directory: Path) -> Iterator[None]:
    """Others wait here until whoever is in has left, or has died."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
