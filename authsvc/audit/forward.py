"""The audit log, forwarded to a syslog collector at least once.

An entry waits in the outbox, where it was put in its own transaction. It leaves it only after the collector's host has
acknowledged every byte of the batch and has kept the connection open; so a collector that is down, a connection that
breaks and a worker that is killed cost time and perhaps doubles, never an entry. Syslog knows no receipts: what a collector has
taken from the network and loses then, nobody can see from here.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import delete, select

from authsvc.audit.models import AuditLog, AuditOutbox
from authsvc.audit.syslog import Endpoint, message, parse_endpoint
from authsvc.configuration import service as configuration
from authsvc.core import connections
from authsvc.core.clock import from_rfc3339
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import BadRequest
from authsvc.core.settings import Settings
from authsvc.core.trust import client_context
from authsvc.jobs import leases

LEASE = "audit-forward"
_LEASE_SECONDS = 60
_BATCH = 500
_TIMEOUT = 10.0  # seconds to connect, to send, and until what was sent is acknowledged
_SETTLE = 0.1  # seconds in which a collector that does not want us would close the connection
_LONGEST_WAIT = 60.0  # seconds between two tries while it is down

log = structlog.get_logger(component="audit")


def check(given: Mapping[str, Any]) -> None:
    """Whether somebody answers where entries shall go from now on, if that changes (Harbor).

    Raises:
        BadRequest: no such address, or nobody answers there.
    """
    with reading():
        present = configuration.values()
    asked = {name: given.get(name, present[name]) for name in ("audit_log_forward_endpoint", "audit_log_forward_ca")}
    endpoint = _endpoint(asked)
    if endpoint is None or endpoint == _endpoint(present):
        return
    settings: Settings = current_app.config["TIDEGATE"]
    try:
        _connect(endpoint, settings.outgoing_allow).close()
    except (OSError, connections.Refused) as error:
        raise BadRequest(f"could not connect to the audit endpoint: {_reason(error)}") from None


def _endpoint(configured: Mapping[str, Any]) -> Endpoint | None:
    text, ca = configured["audit_log_forward_endpoint"], configured["audit_log_forward_ca"]
    return parse_endpoint(text, ca) if isinstance(text, str) and isinstance(ca, str) and text else None


class Forwarder:
    """One for each worker process; it keeps its connection. A lease keeps the sending to one of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: socket.socket | None = None
        self._connected_to: Endpoint | None = None
        self._failures = 0
        self._not_before = 0.0

    def run(self) -> bool:
        """Send what waits; False if there was nothing to do, or it is not yet time to try again."""
        if time.monotonic() < self._not_before:
            return False
        with reading():
            waiting = [
                (row.id, row.entry) for row in db.session.scalars(select(AuditOutbox).order_by(AuditOutbox.id).limit(_BATCH))
            ]
            endpoint = _endpoint(configuration.values()) if waiting else None
        if not waiting:
            return False
        with transaction():
            if not leases.take(LEASE, _LEASE_SECONDS):
                return False
            if endpoint is None:
                _keep_here([row_id for row_id, _ in waiting])
                return True
        return self._forward(endpoint, waiting)

    def _forward(self, endpoint: Endpoint, waiting: Sequence[tuple[int, Mapping[str, Any]]]) -> bool:
        try:
            self._send(endpoint, b"".join(message(entry, self._settings.registry_host) for _, entry in waiting))
        except (OSError, connections.Refused) as error:
            self._give_up(endpoint, error)
            return False
        self._failures = 0
        with transaction():
            leases.renew(LEASE, _LEASE_SECONDS)
            db.session.execute(delete(AuditOutbox).where(AuditOutbox.id.in_([row_id for row_id, _ in waiting])))
        return True

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _send(self, endpoint: Endpoint, data: bytes) -> None:
        if self._connection is not None and (endpoint != self._connected_to or not _is_open(self._connection, 0.0)):
            self.close()
        if self._connection is None:
            self._connection = _connect(endpoint, self._settings.outgoing_allow)
            self._connected_to = endpoint
        self._connection.settimeout(_TIMEOUT)
        self._connection.sendall(data)
        _wait_for_acknowledgement(self._connection)
        if not _is_open(self._connection, _SETTLE):
            raise ConnectionResetError("the collector closed the connection")

    def _give_up(self, endpoint: Endpoint, error: Exception) -> None:
        self.close()
        self._failures += 1
        wait = min(2.0 ** (self._failures - 1), _LONGEST_WAIT)
        self._not_before = time.monotonic() + wait
        log.warning("audit_not_forwarded", endpoint=str(endpoint), reason=_reason(error), next_try_in=wait)


def _connect(endpoint: Endpoint, networks: Sequence[str]) -> socket.socket:
    connection = connections.connect(endpoint.host, endpoint.port, networks, _TIMEOUT)
    if not endpoint.tls:
        return connection
    try:
        return client_context(endpoint.ca).wrap_socket(connection, server_hostname=endpoint.host)
    except BaseException:
        connection.close()
        raise


def _wait_for_acknowledgement(connection: socket.socket) -> None:
    """Until the other host has acknowledged every byte (Linux `SIOCOUTQ`)."""
    deadline = time.monotonic() + _TIMEOUT
    while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
        if time.monotonic() > deadline:
            raise TimeoutError("what was sent is not acknowledged")
        time.sleep(0.002)


def _is_open(connection: socket.socket, seconds: float) -> bool:
    """False if the other side closed the connection by now, or does within that time. It has nothing to say in syslog."""
    connection.settimeout(seconds)
    try:
        return bool(connection.recv(4096))
    except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False


def _keep_here(row_ids: Sequence[int]) -> None:
    """Nobody takes entries any more: those that are nowhere else go to the database."""
    rows = db.session.scalars(select(AuditOutbox).where(AuditOutbox.id.in_(row_ids), AuditOutbox.stored.is_(False)))
    for entry in [dict(row.entry) for row in rows]:
        del entry["id"]
        db.session.add(AuditLog(**entry | {"op_time": from_rfc3339(entry["op_time"])}))
    db.session.execute(delete(AuditOutbox).where(AuditOutbox.id.in_(row_ids)))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, connections.Refused) else type(error).__name__
