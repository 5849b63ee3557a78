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
from pymysql.constants import CLIENT

from authsvc.core import schema
from authsvc.core.base import create_base
from authsvc.core.settings import Settings
from tests.support.ports import free_ports
from tests.support.waiting import until_up

# What a server writes for tests no disk has to see, where there is room: 2 GiB for each of a few servers.
MEMORY, ROOM = Path("/dev/shm"), 8 * 2**30


class Databases(Protocol):
    """Makes databases, each call another one: `new` with the newest schema and no data, `bare` with nothing at all. One that
    nobody needs any more may be forgotten."""

    def new(self) -> str: ...

    def bare(self) -> str: ...

    def forget(self, url: str) -> None: ...


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

    def forget(self, url: str) -> None:
        Path(url.removeprefix("sqlite:///")).unlink(missing_ok=True)


class PostgresDatabases:
    """Databases made from one migrated template, on a server of our own."""

    def __init__(self, port: int, directory: Path) -> None:
        self._url = f"postgresql+psycopg://postgres@127.0.0.1:{port}"
        self._admin = psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True)
        self._forgotten: list[str] = []
        self._execute("CREATE DATABASE template_tidegate")
        _migrate(f"{self._url}/template_tidegate", directory)

    def new(self) -> str:
        return self._create(" TEMPLATE template_tidegate STRATEGY file_copy")

    def bare(self, options: str = "") -> str:
        return self._create(options)

    def forget(self, url: str) -> None:
        """Goes with the next but one, when whoever had a connection has left: waiting for that takes a tenth of a second."""
        self._forgotten.append(url.rpartition("/")[2])
        if len(self._forgotten) > 1:
            self._execute(f"DROP DATABASE {self._forgotten.pop(0)} WITH (FORCE)")

    def close(self) -> None:
        self._admin.close()

    def _create(self, options: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}{options}")
        return f"{self._url}/{name}"

    def _execute(self, statement: str) -> None:
        self._admin.execute(statement.encode())


class MariaDatabases:
    """Databases made by the statements that made a migrated one, on a server of our own."""

    def __init__(self, port: int, directory: Path) -> None:
        self._url = f"mysql+pymysql://root@127.0.0.1:{port}"
        self._admin = pymysql.connect(
            host="127.0.0.1", port=port, user="root", autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS
        )
        self._execute("CREATE DATABASE template_tidegate")
        _migrate(f"{self._url}/template_tidegate", directory)
        reached = ["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={port}", "--user=root"]
        brief = ["--skip-add-drop-table", "--skip-add-locks", "--skip-disable-keys"]
        dump = subprocess.run(["mariadb-dump", *reached, *brief, "template_tidegate"], check=True, capture_output=True)
        self._statements = dump.stdout.decode()

    def new(self) -> str:
        url = self.bare()
        self._execute(f"USE {url.rpartition('/')[2]}; {self._statements}")
        return url

    def bare(self) -> str:
        name = f"t{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        return f"{self._url}/{name}"

    def forget(self, url: str) -> None:
        """All share one file, which never shrinks."""

    def close(self) -> None:
        self._admin.close()

    def _execute(self, statements: str) -> None:
        with self._admin.cursor() as cursor:
            cursor.execute(statements)
            while cursor.nextset():
                pass


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
def pgbouncer(server: int, size: int) -> Iterator[int]:
    """A PgBouncer in transaction mode before a PostgreSQL, which has so many connections at most; its port."""
    with _home("postgres") as (directory, become):
        (port,) = free_ports(1)
        file = directory / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"auth_type = any\npool_mode = transaction\ndefault_pool_size = {size}\nmax_client_conn = 500\nunix_socket_dir =\n"
            f"logfile = {directory}/log\npidfile = {directory}/pid\n"
        )
        file.chmod(0o644)  # whatever our umask is by now: it is read by another user
        program = subprocess.Popen([*become, "/usr/sbin/pgbouncer", "-q", str(file)], cwd=directory)
        try:
            until_up(program, directory / "log", (directory / "pid").exists)
            yield port
        finally:
            program.kill()
            program.wait()


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
    memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    directory = Path(tempfile.mkdtemp(prefix=f"tidegate-{user}-", dir=memory))
    become: Sequence[str] = ()
    if os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    try:
        yield directory, become
    finally:
        shutil.rmtree(directory, ignore_errors=True)
