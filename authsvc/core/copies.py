"""A copy of a SQLite database before its schema changes: the way back, when the old release is to run again."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection

DIRECTORY = "backup"  # beside the database
_KEPT = 3

log = structlog.get_logger(component="database")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was made before the schema was changed: of which revision to which, and when."""

    file: Path
    present: str
    wanted: str
    made_at: datetime


def of(database: Path) -> list[Copy]:
    """Those of a SQLite database, the newest first."""
    found = []
    for file in (database.parent / DIRECTORY).glob("before-*-from-*.db"):
        wanted, _, present = file.stem.removeprefix("before-").partition("-from-")
        found.append(Copy(file, present, wanted, datetime.fromtimestamp(file.stat().st_mtime, UTC)))
    return sorted(found, key=lambda copy: copy.made_at, reverse=True)


def put_back(database: Path, copy: Copy) -> Path:
    """Put a copy in the place of the database, which nothing uses; where what was there is then."""
    aside = database.with_name(f"{database.stem}-{copy.wanted}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
    with closing(sqlite3.connect(database)) as opened:  # what is still in its journal belongs to it
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    part = database.with_name(f".{database.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy.file)) as source, closing(sqlite3.connect(part)) as placed:
        source.backup(placed)
    part.chmod(0o600)
    database.rename(aside)
    for journal in ("-wal", "-shm"):
        database.with_name(database.name + journal).unlink(missing_ok=True)
    part.rename(database)
    return aside


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
