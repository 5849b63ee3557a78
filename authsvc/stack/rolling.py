"""Workers are replaced in turn: one is told to end, and the next when the one that comes instead listens, so that somebody does
all the time. For masters that start a worker anew when one ends, and whose workers listen by themselves (granian)."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from authsvc.stack.tree import children_of, send

_PATIENCE = 30.0  # seconds for what a worker carries, and once more for the next one
_LISTENS = "0A"  # proc(5), /proc/net/tcp: TCP_LISTEN
_SOCKET = re.compile(r"socket:\[(\d+)\]")

log = structlog.get_logger(component="tree")


def replace_workers(master: int, goes_on: Callable[[], bool]) -> None:
    """Replace all workers of a master, as long as that shall go on. A single one has nobody who listens meanwhile: its master
    starts another one beside it, and ends it a while later."""
    workers = [pid for pid in children_of(master) if listens(pid)]
    if len(workers) < 2:
        send(master, signal.SIGHUP)
        return
    for worker in workers:
        others = set(children_of(master))
        send(worker, signal.SIGTERM)
        if not _comes(master, others, goes_on) and goes_on():
            log.warning("worker_killed", pid=worker)
            send(worker, signal.SIGKILL)
            _comes(master, others, goes_on)
        if not goes_on():
            return


def _comes(master: int, others: set[int], goes_on: Callable[[], bool]) -> bool:
    """Wait for a worker that is none of those, and listens; False if none has come."""
    deadline = time.monotonic() + _PATIENCE
    while goes_on() and time.monotonic() < deadline:
        if any(listens(pid) for pid in children_of(master) if pid not in others):
            return True
        time.sleep(0.05)
    return False


def listens(pid: int) -> bool:
    """Whether a process has a TCP socket at which it listens."""
    return not set(_sockets(pid)).isdisjoint(_listening())


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):  # it has just ended
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if found := _SOCKET.fullmatch(str(file.readlink())):
                    yield found[1]


def _listening() -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):  # no IPv6
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS:
                    yield fields[9]
