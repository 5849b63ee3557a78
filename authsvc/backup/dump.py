"""The database as a SQLite file, whichever it is: what a backup holds, and any database can be made from."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from flask import Flask
from sqlalchemy import func, make_url, select

from authsvc.core import moving, schema, standing
from authsvc.core.base import create_base
from authsvc.core.db import Base, db, patient_connection, reading
from authsvc.core.errors import Conflict
from authsvc.core.settings import Settings

_SQLITE = "sqlite:///"
_PAGES = 2048  # at a time, of some kilobytes each
_COUNTED = {"users": "NOT deleted", "projects": "1", "repositories": "1", "artifacts": "1"}
# Of who ran it: keys that sign no more, work that nobody has in hand any more.
_OF_PROCESSES = ("signing_leaves", "leases", "worker_pools", "nodes")


def take(settings: Settings, file: Path, keep_going: Callable[[], None]) -> None:
    """Write all rows as they are at one moment, while others go on writing.

    Raises:
        Unavailable, PreconditionFailed: the database cannot be used, or is of another release.
    """
    app = create_base(settings)
    try:
        standing.must_be_current(app)
        if settings.database_url.startswith(_SQLITE):
            _copy(Path(settings.database_url.removeprefix(_SQLITE)), file, keep_going)
        else:
            _from_server(app, settings, file, keep_going)
    finally:
        _close(app)


def _copy(source: Path, target: Path, keep_going: Callable[[], None]) -> None:
    with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(target)) as copy:
        # All pages of one moment: with a reader's transaction open, what others write meanwhile does not make it begin anew.
        opened.execute("BEGIN")
        opened.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        opened.backup(copy, pages=_PAGES, progress=lambda *_: keep_going())
        opened.rollback()
        copy.execute("PRAGMA journal_mode=DELETE")


def _from_server(app: Flask, settings: Settings, file: Path, keep_going: Callable[[], None]) -> None:
    copy = create_base(_on_file(settings, file))
    schema.upgrade(copy)
    try:
        with app.app_context(), patient_connection() as server:
            source = server.execution_options(isolation_level="REPEATABLE READ")
            with copy.app_context(), patient_connection() as target:
                moving.move(source, target, keep_going=keep_going)
    finally:
        _close(copy)


def _on_file(settings: Settings, file: Path) -> Settings:
    return replace(settings, database_url=f"{_SQLITE}{file}", database_password_file=None)


def counts(file: Path) -> dict[str, int]:
    """Rows of what people ask about."""
    with closing(sqlite3.connect(file)) as opened:
        asked = ((name, f"SELECT count(*) FROM {name} WHERE {which}") for name, which in _COUNTED.items())  # noqa: S608 - ours
        return {name: int(opened.execute(statement).fetchone()[0]) for name, statement in asked}


def must_be_free(settings: Settings) -> None:
    """Whether a database can be made there.

    Raises:
        Conflict: there is one, in use.
        Unavailable
    """
    file = Path(settings.database_url.removeprefix(_SQLITE))
    if settings.database_url.startswith(_SQLITE) and not (file.exists() and file.stat().st_size):
        return
    app = create_base(settings)
    try:
        if not standing.revision(app):
            return
        with app.app_context(), reading():
            is_used = db.session.scalar(select(func.count()).select_from(Base.metadata.tables["users"]))
    finally:
        _close(app)
    if is_used:
        raise Conflict(f"the database {_shown(settings)} is in use: stop Tidegate, and name an empty one, or move the file away")


def _shown(settings: Settings) -> str:
    return make_url(settings.database_url).render_as_string(hide_password=True)


def put(settings: Settings, file: Path) -> None:
    """Make the settings' database from a file, which may be of an older release; the file is used up.

    Raises:
        Conflict: the database is in use.
        Unavailable: it cannot be used.
    """
    app, copy = create_base(settings), create_base(_on_file(settings, file))
    try:
        schema.upgrade(copy)
        _forget_processes(file)
        if settings.database_url.startswith(_SQLITE):
            _place(copy, file, Path(settings.database_url.removeprefix(_SQLITE)))
        else:
            schema.upgrade(app)
            with copy.app_context(), patient_connection() as source, app.app_context(), patient_connection() as target:
                moving.move(source, target)
    finally:
        _close(app)
        _close(copy)


def _forget_processes(file: Path) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        for table in _OF_PROCESSES:
            opened.execute(f"DELETE FROM {table}")  # noqa: S608 - ours


def _place(copy: Flask, file: Path, target: Path) -> None:
    _close(copy)
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as placed:  # it may be another disk
        source.backup(placed)
    part.chmod(0o600)
    part.rename(target)


def _close(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()
