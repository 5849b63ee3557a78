"""Points at which tests kill a process, to see what is left: `AUTHSVC_FAILPOINT=name:count,...` kills it as it gets to `name`
for the `count`-th time, and says so on standard error; where `AUTHSVC_FAILPOINT_ARMED` is a file, only at those points that stand
in it at that moment. Without the first variable, which only tests set, a point does nothing."""

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
_armed = os.environ.get("AUTHSVC_FAILPOINT_ARMED")


def failpoint(name: str) -> None:
    """Die here, if this is the point and the time."""
    if name not in _points or (_armed and name not in Path(_armed).read_text().split()):
        return
    times, reached = _points[name]
    if next(reached) == times:
        os.write(2, f"died at {name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
