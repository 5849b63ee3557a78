"""Ends processes that hang, so that they are started again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import structlog

from authsvc.core.processes import is_here
from authsvc.core.pulse import BEAT

_PATIENCE = 8  # looks: a busy machine makes everybody slow, and the one who looks as well

log = structlog.get_logger(component="watchdog")


class Watchdog:
    """Of the processes that beat in a directory. Time is counted in looks, since a clock goes on while a machine sleeps."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._due = 0.0
        self._last: dict[Path, tuple[int, int]] = {}  # file of a process -> its last beat, and for how many looks it is the last

    def look(self) -> None:
        """Look, if it is time again: kill -9 whoever is there and has not beaten for about 16 seconds."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + BEAT
        try:
            for file in self._directory.iterdir():
                self._look_at(file, file.read_text())
        except OSError as error:
            log.error("watchdog_failed", error=str(error)[:300])

    def _look_at(self, file: Path, name: str) -> None:
        if not name:
            return  # it is just being written
        if not is_here(name):  # it has ended, or is of another machine, with the number of somebody else's process here
            file.unlink()
            self._last.pop(file, None)
            return
        beat = file.stat().st_mtime_ns
        before, looks = self._last.get(file, (0, 0))
        self._last[file] = beat, looks + 1 if beat == before else 0
        if self._last[file][1] >= _PATIENCE:
            log.error("hanging_process_killed", pid=int(file.name))
            with suppress(ProcessLookupError):
                os.kill(int(file.name), signal.SIGKILL)
