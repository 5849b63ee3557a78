"""How a database stands, said before anything relies on it: whether it can be used, and by this Tidegate. One line, no secret."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from authsvc.core import schema
from authsvc.core.db import db
from authsvc.core.errors import PreconditionFailed, Unavailable


def revision(app: Flask) -> str:
    """The schema that the database has; "" if it has none.

    Raises:
        Unavailable: it cannot be used; the text says why, with the driver's own words.
    """
    with app.app_context():
        try:
            with db.engine.connect() as connection:
                return schema.present(connection)
        except SQLAlchemyError as error:
            address = db.engine.url.render_as_string(hide_password=True)
            raise Unavailable(f"the database {address} cannot be used: {_cause(error)}") from error


def _cause(error: SQLAlchemyError) -> str:
    """What the driver says, or all that is known."""
    said = getattr(error, "orig", None) or error
    text = str(said.args[-1]) if said.args else type(said).__name__
    return "; ".join(filter(None, (line.strip() for line in text.splitlines())))[:500] or type(said).__name__


def must_be_current(app: Flask) -> None:
    """For whoever only uses it.

    Raises:
        Unavailable
        PreconditionFailed: it is of another release, or empty.
    """
    present, needed = revision(app), schema.newest()
    if present == needed:
        return
    if present > needed:
        raise schema.newer(present)
    said = f"is of an older Tidegate (its schema is {present}, this one needs {needed})" if present else "has no tables yet"
    raise PreconditionFailed(f"the database {said}: `authsvc prepare` brings it up")


def must_not_begin_anew(app: Flask, used: Path) -> None:
    """An empty database beside a file that is in use is most likely a mistake: everybody would be gone.

    Raises:
        Unavailable
        PreconditionFailed
    """
    is_that_one = app.config["SQLALCHEMY_DATABASE_URI"] == f"sqlite:///{used}"
    if is_that_one or not used.exists() or revision(app):
        return
    users, projects = (_count(used, table) for table in ("users", "projects"))
    if users > 1 or projects > 1:
        raise PreconditionFailed(
            f"TIDEGATE_DATABASE_URL names an empty database, and {used} holds {users} users and {projects} projects. To take them"
            f" along, run `authsvc db move URL` without TIDEGATE_DATABASE_URL; to begin anew, move that file away"
        )


def _count(file: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a name of ours
        except sqlite3.DatabaseError:
            return 0
