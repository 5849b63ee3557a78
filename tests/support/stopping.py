"""Processes that are there and do nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.waiting import eventually


def stop(pid: int) -> None:
    """Stop a process, and wait until all of its threads have: the signal is sent before they have got it, and one of them may
    answer once more."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: all(_state(task) in "TZX" for task in Path(f"/proc/{pid}/task").iterdir()))


def _state(task: Path) -> str:
    """Of a thread, by one letter (proc(5)); X if it has ended."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Meanwhile these do nothing; those that were ended stay so."""
    try:
        for pid in pids:
            stop(pid)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
