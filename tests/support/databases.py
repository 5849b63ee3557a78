"""Real databases for tests: SQLite files, and servers of PostgreSQL and MariaDB that the tests start themselves."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
import pymysql

from authsvc.core import schema
from authsvc.core.base import create_base
from authsvc.core.settings import Settings
from tests.support.ports import free_ports
from tests.support.waiting import until_up


class Databases(Protocol):
    """Makes databases, each call another one: `new` with the newest schema and no data, `bare` with nothing at all."""

    def new(self) -> str: ...

    def bare(self) -> str: ...


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

    def bare(self) -> str:
        return f"sqlite:///{self._directory / uuid.uuid4().hex}.db"


class PostgresDatabases:
    """Databases made from one migrated template, on a server of our own."""

    def __init__(self, port: int, directory: Path) -> None:
        self._url = f"postgresql+psycopg://postgres@127.0.0.1:{port}"
        self._admin = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._execute("CREATE DATABASE template_tidegate")
        _migrate(f"{self._url}/template_tidegate", directory)

    def new(self) -> str:
        return self._create(" TEMPLATE template_tidegate STRATEGY file_copy")

    def bare(self) -> str:
        return self._create("")

    def _create(self, options: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}{options}")
        return f"{self._url}/{name}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement.encode())


class MariaDatabases:
    """Databases made from the dump of a migrated one, on a server of our own."""

    def __init__(self, port: int, directory: Path) -> None:
        self._port = port
        self._url = f"mysql+pymysql://root@127.0.0.1:{port}"
        self._execute("CREATE DATABASE template_tidegate")
        _migrate(f"{self._url}/template_tidegate", directory)
        self._dump = self._run("mariadb-dump", "template_tidegate")

    def new(self) -> str:
        url = self.bare()
        self._run("mariadb", url.rpartition("/")[2], stdin=self._dump)
        return url

    def bare(self) -> str:
        name = f"t{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        return f"{self._url}/{name}"

    def _run(self, program: str, *arguments: str, stdin: bytes = b"") -> bytes:
        reached = ["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={self._port}", "--user=root"]
        return subprocess.run([program, *reached, *arguments], input=stdin, check=True, capture_output=True).stdout

    def _execute(self, statement: str) -> None:
        with pymysql.connect(host="127.0.0.1", port=self._port, user="root", autocommit=True) as connection:
            connection.cursor().execute(statement)


def _migrate(url: str, directory: Path) -> None:
    app = create_base(Settings(database_url=url, state_dir=directory))
    schema.upgrade(app)
    with app.app_context():
        from authsvc.core.db import db

        db.engine.dispose()


@contextmanager
def postgres_server() -> Iterator[int]:
    """A PostgreSQL server on a free port."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert binaries, "PostgreSQL is not installed; on Debian: apt-get install postgresql"
    with _home("postgres") as (directory, become):
        data, port = directory / "data", free_ports(1)[0]
        initdb = [
            *become,
            str(binaries[-1] / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd=directory)
        options = (
            f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={directory} -c max_connections=200"
            " -c fsync=off -c full_page_writes=off -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0"
        )
        control = [*become, str(binaries[-1] / "pg_ctl"), "-D", str(data), "-w", "-l", str(directory / "log"), "-o", options]
        started = subprocess.run([*control, "start"], check=False, capture_output=True, text=True, cwd=directory)
        assert started.returncode == 0, started.stdout + started.stderr + (directory / "log").read_text()
        try:
            yield port
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=directory)


@contextmanager
def mariadb_server() -> Iterator[int]:
    """A MariaDB server on a free port. Where it keeps temporary tables it deletes those of all others when it starts."""
    with _home("mysql") as (directory, become):
        data, port, temporary = directory / "data", free_ports(1)[0], f"--tmpdir={directory}"
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        done = subprocess.run(
            [*become, *install, temporary, "--skip-test-db"], check=False, capture_output=True, text=True, cwd=directory
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        files = [
            f"--datadir={data}",
            temporary,
            f"--socket={directory}/socket",
            f"--pid-file={directory}/pid",
            f"--log-error={directory}/log",
        ]
        network = ["--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve", "--max-connections=200"]
        fast = ["--debug-no-sync", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-file-per-table=0"]
        server = subprocess.Popen([*become, "/usr/sbin/mariadbd", "--no-defaults", *files, *network, *fast], cwd=directory)
        try:
            until_up(server, directory / "log", lambda: _answers(port))
            yield port
        finally:
            server.kill()
            server.wait()


def _answers(port: int) -> bool:
    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root").close()
    except pymysql.err.OperationalError:
        return False
    return True


@contextmanager
def _home(user: str) -> Iterator[tuple[Path, Sequence[str]]]:
    """A directory for a server, and the command by which root becomes the user that it runs as: servers refuse root."""
    directory = Path(tempfile.mkdtemp(prefix=f"tidegate-{user}-"))
    become: Sequence[str] = ()
    if os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    try:
        yield directory, become
    finally:
        shutil.rmtree(directory, ignore_errors=True)
