"""What a job says of its run, line by line, for whoever may read it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from authsvc.core.db import db, utcnow
from authsvc.core.errors import NotFound
from authsvc.jobs.models import Task, TaskLog

MAX_CHARACTERS = 1024 * 1024  # of one task, over all of its runs
_MAX_LINE = 2000
_PIECE = 15_000  # characters of a row: fits a TEXT column of every database in four bytes each


class LogWriter:
    """Collects lines, and stores them when told to."""

    def __init__(self, task_id: int) -> None:
        self._task_id = task_id
        self._lines: list[str] = []
        self._left = MAX_CHARACTERS

    def write(self, text: str) -> None:
        """Add a line (`2006-01-02T15:04:05Z [INFO] text`); what comes after the limit is left out, and that is said once."""
        if self._left <= 0:
            return
        line = f"{utcnow():%Y-%m-%dT%H:%M:%SZ} [INFO] {' '.join(text.splitlines())[:_MAX_LINE]}\n"
        self._left -= len(line)
        self._lines.append(line if self._left > 0 else "[the log is longer than what is kept]\n")

    def store(self) -> None:
        """Store what came since the last time, in the transaction at hand. Nothing of it is left if that is rolled back."""
        pieces, self._lines = _pieces(self._lines), []
        db.session.add_all([TaskLog(task_id=self._task_id, text=piece) for piece in pieces])


def _pieces(lines: list[str]) -> list[str]:
    pieces: list[str] = []
    for line in lines:
        if pieces and len(pieces[-1]) + len(line) <= _PIECE:
            pieces[-1] += line
        else:
            pieces.append(line)
    return pieces


def end_of(task: Task, length: int) -> str:
    """The last so many characters of a task's log, "" if it said nothing; what is before them is not read."""
    found, pieces = 0, list[str]()
    newest_first: Select[Any] = select(TaskLog.text).where(TaskLog.task_id == task.id).order_by(TaskLog.id.desc())
    while found < length and (piece := db.session.scalar(newest_first.offset(len(pieces)).limit(1))) is not None:
        pieces.append(piece)
        found += len(piece)
    return "".join(reversed(pieces))[-length:]


def read(task: Task) -> str:
    """The log of a task.

    Raises:
        NotFound: it said nothing yet, or it was forgotten.
    """
    pieces = db.session.scalars(select(TaskLog.text).where(TaskLog.task_id == task.id).order_by(TaskLog.id)).all()
    if not pieces:
        raise NotFound(f"there is no log of task {task.id}")
    return "".join(pieces)
