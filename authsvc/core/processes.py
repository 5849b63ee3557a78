"""Names for processes that tell whether the process is still there: for as far as one kernel can tell (Linux)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_ALIVE_NOT = frozenset("ZXx")  # proc(5): zombie, dead


def _space() -> str:
    """Where process ids mean what they mean here: the machine and its pid namespace; "" where that cannot be known."""
    try:
        return f"{socket.gethostname()[:64]}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process started, in ticks since the machine did; "" if there is no such process."""
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in _ALIVE_NOT else fields[19]


def own_name() -> str:
    """The name of this process, at most 128 characters."""
    return f"{_space()}/{os.getpid()}/{_started(os.getpid())}"


def is_here(name: str) -> bool:
    """True if that process is certainly there, and has its number in our own space."""
    space, pid, started = name.rsplit("/", 2)
    return bool(space and started) and space == _space() and _started(int(pid)) == started


def is_gone(name: str) -> bool:
    """True if that process has certainly ended; False where nobody here can know, as of another machine."""
    space, pid, started = name.rsplit("/", 2)
    return bool(space) and space == _space() and _started(int(pid)) != started
