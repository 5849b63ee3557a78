"""Waiting for what comes by itself: as long as it takes, not as long as somebody guessed. How fast it is, is measured in
`tests/bench`; here a busy machine makes nothing fail."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
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


def until_up(process: subprocess.Popen[bytes], log: Path, answers: Callable[[], object]) -> None:
    """Until a server that was just started answers. `answers` is false or raises OSError (as `requests` does) while it does not.

    Raises:
        AssertionError: it died, or does not come up; with its log.
    """

    def look() -> bool:
        assert process.poll() is None, _end_of(log)
        try:
            return bool(answers())
        except OSError:
            return False

    try:
        eventually(look)
    except AssertionError as error:
        raise AssertionError(f"{process.args!r} does not answer:\n{_end_of(log)}") from error


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:] if log.exists() else "it wrote no log"
