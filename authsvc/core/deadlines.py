"""How long a database server may be silent: one that was stopped, or is behind a network that swallows, closes no connection, and
whoever waits for it would wait for ever. Limits on the server's side (`core.engines`) are no help then."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, event

from authsvc.core.engines import STATEMENT, family

# Seconds: for what is answered at once if there is anybody (connecting, whether an idle connection lives, what tokens ask); and
# for everything else, where the server itself gives up sooner.
QUICK, LONGEST = 2.0, STATEMENT + 1.0


def bound(engine: Engine) -> None:
    """Give an engine's connections limits: the short one while they are idle, since they are looked at before they are used."""
    if family(engine.dialect) == "sqlite":
        return
    if family(engine.dialect) == "postgresql":
        # Whoever uses SQLite need not load a driver.
        connect = import_module("authsvc.core.patience").PatientConnection.connect
        event.listen(engine, "do_connect", lambda dialect, record, args, values: connect(*args, **values))
    event.listen(engine, "checkout", lambda raw, record, fairy: _set(raw, LONGEST))
    event.listen(engine, "checkin", lambda raw, record: _set(raw, QUICK))


def hurry(connection: Connection) -> None:
    """For a connection that is only ever asked what is answered at once."""
    _set(connection.connection.driver_connection, QUICK)


def _set(raw: Any, seconds: float) -> None:
    if hasattr(raw, "patience"):
        raw.patience = seconds
    elif hasattr(raw, "_read_timeout"):  # PyMySQL's, which takes one at connecting only
        raw._read_timeout = seconds  # noqa: SLF001
