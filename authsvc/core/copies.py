"""A copy of a SQLite database before its schema changes: the way back, when the old release is to run again."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import Connection

DIRECTORY = "backup"  # beside the database
_KEPT = 3

log = structlog.get_logger(component="database")


def before(connection: Connection, present: str, wanted: str) -> None:
    """Copy a database that is to be brought from one revision to another; a server's is copied by who runs it."""
    file = connection.engine.url.database
    if connection.dialect.name != "sqlite" or not present or present >= wanted or not file:
        return
    directory = Path(file).parent / DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    copy, unfinished = directory / f"before-{wanted}-from-{present}.db", directory / f".{os.getpid()}.db"
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source:
        source.execute("VACUUM INTO ?", (str(unfinished),))
    unfinished.chmod(0o600)
    unfinished.replace(copy)
    log.info("database_copied", revision=present, file=str(copy))
    for old in sorted(directory.glob("before-*.db"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        old.unlink(missing_ok=True)
