"""The database."""

from __future__ import annotations

import time
from datetime import timedelta

from sqlalchemy import Connection, text

from authsvc.core import schema, standing
from authsvc.core.db import db, present, reading, utcnow
from authsvc.core.engines import family
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped

_SLOW, _ASKED = 0.02, 5  # seconds for an answer; the best of so many
_CLOCK = timedelta(seconds=5)
_OLDEST = {"postgresql": (13, 0), "mariadb": (10, 6), "mysql": (8, 0), "sqlite": (3, 35)}
_POOL = 15  # connections that one of our processes has at most
_LARGEST = 512 * 1024**2  # bytes of a SQLite file that is looked through


def _schema(patient: Patient) -> Finding:
    found, newest = standing.revision(patient.app), schema.newest()
    if found == newest:
        return good(f"schema {found}")
    if found > newest:
        return bad(
            f"its schema is {found}, this Tidegate knows {newest}",
            "run the newer release, or go back to the copy of the database",
        )
    return bad(f"its schema is {found or 'none'}, {newest} is needed", "run `authsvc prepare`")


def _speed(patient: Patient) -> Finding:
    times = []
    with _connection(patient) as connection:
        for _ in range(_ASKED):
            begun = time.perf_counter()
            connection.execute(text("SELECT 1")).scalar()
            times.append(time.perf_counter() - begun)
    said = f"it answers within {min(times) * 1000:.1f} ms"
    return good(said) if min(times) < _SLOW else doubtful(said, "bring it nearer: each request asks it several times")


def _clock(patient: Patient) -> Finding:
    with patient.app.app_context(), reading():
        apart = abs(present() - utcnow())
    said = f"its clock and this host's are {apart.total_seconds():.1f} s apart"
    return good(said) if apart < _CLOCK else bad(said, "let both follow a time server: tokens are good for minutes")


def _version(patient: Patient) -> Finding:
    with _connection(patient) as connection:
        name = (
            "mysql"
            if family(connection.dialect) == "mariadb" and not getattr(connection.dialect, "is_mariadb", False)
            else family(connection.dialect)
        )
        found = connection.dialect.server_version_info or (0, 0)
    said, oldest = f"{name} {'.'.join(map(str, found))}", _OLDEST[name]
    return good(said) if tuple(found[:2]) >= oldest else bad(said, f"{'.'.join(map(str, oldest))} is the oldest that will do")


def _connections(patient: Patient) -> Finding:
    """Whether all our processes can have what they may want, of one node."""
    wanted = _POOL * (patient.settings.token_workers + patient.settings.api_workers + 2)
    with _connection(patient) as connection:
        match family(connection.dialect):
            case "sqlite":
                return skipped("a file takes any number")
            case "postgresql":
                most = int(connection.execute(text("SHOW max_connections")).scalar_one())
                used = int(connection.execute(text("SELECT count(*) FROM pg_stat_activity")).scalar_one())
            case _:
                most = int(connection.execute(text("SELECT @@max_connections")).scalar_one())
                used = int(connection.execute(text("SHOW STATUS LIKE 'Threads_connected'")).one()[1])
    said = f"{used} of {most} connections are in use; this node may want {wanted}"
    return good(said) if most >= wanted else doubtful(said, "raise max_connections, or put a pooler such as PgBouncer before it")


_LIMITS = {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}


def _pooler(patient: Patient) -> Finding:
    """Whether the role has what we cannot set ourselves through a pooler."""
    if not patient.settings.database_pooler:
        return skipped("no pooler is between")
    with _connection(patient) as connection:
        if family(connection.dialect) != "postgresql":
            return bad("TIDEGATE_DATABASE_POOLER is for PostgreSQL", "leave it out")
        unset = [name for name in _LIMITS if str(connection.execute(text(f"SHOW {name}")).scalar_one()) == "0"]
    if unset:
        return doubtful(
            f"nothing ends what takes for ever: {', '.join(unset)}",
            "; ".join(f"ALTER ROLE tidegate SET {name} = '{_LIMITS[name]}'" for name in unset),
        )
    return good("a pooler is between, and the role has its limits")


def _encoding(patient: Patient) -> Finding:
    with _connection(patient) as connection:
        match family(connection.dialect):
            case "sqlite":
                return good("UTF-8")
            case "postgresql":
                found = str(connection.execute(text("SHOW server_encoding")).scalar_one())
                return (
                    good(found)
                    if found == "UTF8"
                    else bad(found, "make the database anew with ENCODING 'UTF8', and move: authsvc db move")
                )
            case _:
                ours = "table_schema = DATABASE() AND table_name = 'users'"
                statement = f"SELECT table_collation FROM information_schema.tables WHERE {ours}"  # noqa: S608 - all of it is ours
                found = str(connection.execute(text(statement)).scalar())
                return (
                    good(found)
                    if "utf8mb4" in found
                    else bad(found, "names would be cut: move to a database that we made (authsvc db move)")
                )


def _wholeness(patient: Patient) -> Finding:
    with _connection(patient) as connection:
        if family(connection.dialect) != "sqlite":
            return skipped("the server looks after it")
        pages, size = (int(connection.execute(text(f"PRAGMA {name}")).scalar_one()) for name in ("page_count", "page_size"))
        if pages * size > _LARGEST:
            return skipped(f"{pages * size // 1024**2} MiB take long to look through: sqlite3 FILE 'PRAGMA quick_check'")
        found = [str(row[0]) for row in connection.execute(text("PRAGMA quick_check(5)"))]
    if found == ["ok"]:
        return good("the file is whole")
    return bad(
        f"the file is damaged: {found[0][:200]}", "stop, and restore the last backup; copies lie beside it after each upgrade"
    )


def _journal(patient: Patient) -> Finding:
    with _connection(patient) as connection:
        if family(connection.dialect) != "sqlite":
            return skipped("the database is a server")
        mode = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
    return (
        good("write-ahead")
        if mode == "wal"
        else bad(f"its journal is {mode}", "readers wait for writers: see that the disk lets SQLite use shared memory")
    )


def _connection(patient: Patient) -> Connection:
    with patient.app.app_context():
        return db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


CHECKS = (
    Check("database.schema", _schema),
    Check("database.speed", _speed),
    Check("database.clock", _clock),
    Check("database.version", _version),
    Check("database.connections", _connections),
    Check("database.pooler", _pooler),
    Check("database.encoding", _encoding),
    Check("database.wholeness", _wholeness),
    Check("database.journal", _journal),
)
