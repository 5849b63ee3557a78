"""Long lists: a large installation on SQLite or PostgreSQL, and what a page of each list costs there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import update

from authsvc.core.db import db
from authsvc.token.keys import KeyStore
from authsvc.users.models import User
from authsvc.wsgi import Front
from tests.bench.big import Size, fill
from tests.bench.lists import Timed, measure
from tests.conftest import new_settings
from tests.support.databases import Databases, PostgresDatabases, SqliteDatabases, postgres_server
from tests.support.world import World

AIM = 50  # ms, for 99 of 100 pages


def long_lists(directory: Path, database: str, pages: int, size: Size) -> list[Timed]:
    """Fill, which takes minutes, and ask for each list so many times."""
    with _databases(database, directory) as databases, large(databases, directory, size) as world:
        return list(measure(world, pages))


@contextmanager
def _databases(database: str, directory: Path) -> Iterator[Databases]:
    if database == "sqlite":
        yield SqliteDatabases(directory)
    else:
        with postgres_server() as port:
            yield PostgresDatabases(port, directory)


@contextmanager
def large(databases: Databases, directory: Path, size: Size) -> Iterator[World]:
    """An installation of that size; everybody has the usual password."""
    KeyStore(directory / "keys").prepare()
    world = World(Front(new_settings(databases, directory / "keys", directory)))
    world.user("admin", sysadmin=True)
    with world.front.flask.app_context():
        fill(db.engine, size)
        hashed = db.session.get_one(User, 1).password_hash
        db.session.execute(update(User).values(password_hash=hashed))
        db.session.commit()
    yield world
    world.close()


def table(rows: Sequence[Timed]) -> str:
    """As Markdown, with what misses the aim."""
    lines = [f"| list, pages of 100 | as | p50 ms | p99 ms | CPU ms | {AIM} ms |", "| --- | --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        missed = "" if row.p99 <= AIM else "MISSED"
        lines.append(f"| {row.path} | {row.who} | {row.p50:.1f} | {row.p99:.1f} | {row.cpu:.1f} | {missed} |")
    late = sum(row.p99 > AIM for row in rows)
    return "\n".join([*lines, "", f"{len(rows) - late} of {len(rows)} lists within {AIM} ms."])
