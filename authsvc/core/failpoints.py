"""Points at which tests kill a process, to see what is left: `AUTHSVC_FAILPOINT=name:count,...` kills it as it gets to `name`
for the `count`-th time, and says so on standard error; where `AUTHSVC_FAILPOINT_WHILE` names a file, as long as there is one.
Without the first variable, which only tests set, a point does nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path


def _read(text: str) -> dict[str, tuple[int, Iterator[int]]]:
    """For each name how often it may be reached, and a counter (which threads share: `next` is one step)."""
    named = (one.partition(":") for one in text.split(",") if one)
    return {name: (int(times or 1), count(1)) for name, _, times in named}


_points = _read(os.environ.get("AUTHSVC_FAILPOINT", ""))
_while = os.environ.get("AUTHSVC_FAILPOINT_WHILE")


def failpoint(name: str) -> None:
    """Die here, if this is the point and the time."""
    if name not in _points or (_while and not Path(_while).exists()):
        return
    times, reached = _points[name]
    if next(reached) == times:
        os.write(2, f"died at {name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
