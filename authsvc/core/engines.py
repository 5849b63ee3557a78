"""SQLite, PostgreSQL, MariaDB or MySQL: how connections are made, and how tables are, where the databases differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Dialect, Engine, PoolProxiedConnection, Text, event, make_url
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.compiler import DDLCompiler, TypeCompiler

from authsvc.core.crypto import read_given

STATEMENT = 5  # seconds that one may take
# Seconds for which a transaction may ask nothing, before the server ends it. What a machine that is gone, or a process that is
# stopped, had locked would be locked for hours.
IDLE = 10
MARIADB = ("mysql", "mariadb")  # SQLAlchemy's names for it


def family(dialect: Dialect) -> str:
    """`sqlite`, `postgresql` or `mariadb`, which stands for MySQL, too."""
    return "mariadb" if dialect.name in MARIADB else dialect.name


def options(url: str | URL, *, patient: bool = False, pooled: bool = False) -> dict[str, Any]:
    """What an engine is made with. Waits are bounded at every step (seconds), since a locked table or a dead server must
    answer 503, not hang a worker; `patient`: for changes of the schema, which may take their time.

    `pooled`: PgBouncer in transaction mode, or the like, is between, where each transaction may be another connection's: nothing
    is prepared or set for longer than one. What is set here otherwise the database's role has to have (docs/operations.md).
    """
    backend = make_url(url).get_backend_name()
    common: dict[str, Any] = {"hide_parameters": True}  # they may be hashes and sealed secrets, and errors go into logs
    if backend == "sqlite":
        return common
    statement, lock, idle = (0, 60, 600) if patient else (STATEMENT, 2, IDLE)
    common |= {"pool_pre_ping": True, "pool_timeout": 3}
    if backend == "postgresql":
        # Nothing that we ask is long enough for compiling it to pay. And what is best for one project is bad for another with
        # a thousand times as much: each question is planned for what it names.
        planning = "-c jit=off -c plan_cache_mode=force_custom_plan"
        connect: dict[str, Any] = {"connect_timeout": 2, "tcp_user_timeout": 10_000, "client_encoding": "utf8"}
        if pooled:
            return common | {"connect_args": connect | {"prepare_threshold": None}}
        limits = f"-c statement_timeout={statement}s -c lock_timeout={lock}s -c idle_in_transaction_session_timeout={idle}s"
        settings = f"{limits} -c timezone=UTC {planning}"
        # tcp_user_timeout (ms): a machine that is gone without a word is noticed.
        return common | {"connect_args": connect | {"options": settings}}
    return common | {"isolation_level": "READ COMMITTED", "connect_args": _mariadb(statement, lock, idle)}


def _mariadb(statement: int, lock: int, idle: int) -> dict[str, Any]:
    """Each sees what others committed a moment ago, as on PostgreSQL; nothing is cut to fit (TRADITIONAL).

    `/*M! */` is read by MariaDB only, `/*!80000 */` by MySQL only: they call the time that a statement may take differently, and
    MySQL ends whoever says nothing, in a transaction or not.
    """
    session = (
        f"SET SESSION sql_mode='TRADITIONAL', time_zone='+00:00', innodb_lock_wait_timeout={lock}, lock_wait_timeout={lock}"
        f" /*M! , max_statement_time={statement}, idle_transaction_timeout={idle} */"
        f" /*!80000 , max_execution_time={statement * 1000}, wait_timeout={6 * idle} */"
    )
    dead = {"read_timeout": 2, "write_timeout": statement + 1} if statement else {}  # until `core.deadlines` says otherwise
    return {"connect_timeout": 2, "charset": "utf8mb4", "init_command": session, **dead}


def show_password(engine: Engine, file: Path | None) -> None:
    """Each new connection shows what the file holds by then, so that a password can be changed while everything runs. A file
    that cannot be read, or that everybody can read, is the same as a database that cannot be reached."""
    if file is None or engine.dialect.name == "sqlite":
        return

    @event.listens_for(engine, "do_connect")
    def show(dialect: Dialect, record: object, arguments: object, options: dict[str, Any]) -> None:
        try:
            options["password"] = read_given(file)
        except OSError as error:
            raise OperationalError("", None, OSError(f"TIDEGATE_DATABASE_PASSWORD_FILE: {error}")) from None


def expect_ends(engine: Engine) -> None:
    """A transaction that the server has ended with its connection (a restart, or it was silent for `IDLE`) has nothing left to
    undo: whoever only read has all that it wanted. The pool tries each connection before it is used again."""
    dialect = engine.dialect
    rollback = dialect.do_rollback

    def undo(dbapi_connection: PoolProxiedConnection) -> None:
        try:
            rollback(dbapi_connection)
        except dialect.loaded_dbapi.Error as error:
            if not dialect.is_disconnect(error, dbapi_connection, None):
                raise

    dialect.do_rollback = undo  # type: ignore[method-assign]


class Sqlite(SQLiteCompiler):
    """For an engine's `dialect.statement_compiler`. SQLite's LIKE does not mind the case of ASCII, no more than its lower() does,
    and takes less than half the time without it. And it takes hints (`Select.with_hint`)."""

    def visit_icontains_op_binary(self, binary: Any, operator: Any, **options: Any) -> str:
        """`icontains`, by LIKE alone."""
        return str(self.visit_contains_op_binary(binary, operator, **options))  # type: ignore[no-untyped-call]

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        """Behind the table, as it is."""
        return text


@compiles(CreateTable, *MARIADB)
def _create_table(element: CreateTable, compiler: DDLCompiler, **options: Any) -> str:
    """Names and digests are the same when their bytes are, trailing blanks included, whatever the server's default is."""
    collation = "utf8mb4_nopad_bin" if getattr(compiler.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    statement = str(compiler.visit_create_table(element, **options)).rstrip()  # type: ignore[no-untyped-call]
    return f"{statement} ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE={collation}"


@compiles(Text, *MARIADB)
def _text(element: Text, compiler: TypeCompiler, **options: Any) -> str:
    """Their TEXT ends at 64 kB."""
    return "MEDIUMTEXT"
