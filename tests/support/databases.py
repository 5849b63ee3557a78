"""Real databases for tests: SQLite files, and a PostgreSQL server that the tests start themselves."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from authsvc.core import schema
from authsvc.core.base import create_base
from authsvc.core.settings import Settings
from tests.support.ports import free_ports


class Databases(Protocol):
    """Makes databases with the newest schema; each call a new, empty one."""

    def new(self) -> str: ...


class SqliteDatabases:
    """Copies of one migrated file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._template = directory / "template.db"
        _migrate(f"sqlite:///{self._template}", directory)

    def new(self) -> str:
        path = self._directory / f"{uuid.uuid4().hex}.db"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"


class PostgresDatabases:
    """Databases made from one migrated template, on a server of our own."""

    def __init__(self, port: int, directory: Path) -> None:
        self._url = f"postgresql+psycopg://postgres@127.0.0.1:{port}"
        self._admin = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._execute("CREATE DATABASE template_tidegate")
        _migrate(f"{self._url}/template_tidegate", directory)

    def new(self) -> str:
        name = f"t{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_tidegate")
        return f"{self._url}/{name}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement.encode())


def _migrate(url: str, directory: Path) -> None:
    app = create_base(Settings(database_url=url, state_dir=directory))
    schema.upgrade(app)
    with app.app_context():
        from authsvc.core.db import db

        db.engine.dispose()


@contextmanager
def postgres_server() -> Iterator[int]:
    """A PostgreSQL server on a free port; it refuses to run as root, so root starts it as `postgres`."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert binaries, "PostgreSQL is not installed; on Debian: apt-get install postgresql"
    directory = Path(tempfile.mkdtemp(prefix="tidegate-pg-"))
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if become:
        owner = pwd.getpwnam("postgres")
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    data, port = directory / "data", free_ports(1)[0]
    initdb = [*become, str(binaries[-1] / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=directory)
    options = (
        f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={directory} -c fsync=off -c max_connections=200"
    )
    control = [*become, str(binaries[-1] / "pg_ctl"), "-D", str(data), "-w", "-l", str(directory / "log"), "-o", options]
    subprocess.run([*control, "start"], check=True, capture_output=True, cwd=directory)
    try:
        yield port
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=directory)
        shutil.rmtree(directory, ignore_errors=True)
