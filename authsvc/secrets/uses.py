"""When and from where secrets were used last: noted off the hot path."""

from __future__ import annotations

import threading

import structlog
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from authsvc.core.db import db, reading, transaction, upsert, utcnow
from authsvc.core.errors import DomainError
from authsvc.secrets.models import Secret, SecretUse

_FLUSH_SECONDS = 20.0


class UseRecorder:
    """Notes uses off the hot path: gathered in memory, written together by a thread every so many seconds.

    What a killed process had not written yet is lost: "last used" may lag by those seconds, nothing else depends on it.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._uses: dict[int, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, secret_id: int, address: str) -> None:
        """A secret was used now, from that address."""
        self._uses[secret_id] = address
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:  # started at first use, since servers fork before that
                self._thread = threading.Thread(target=self._run, daemon=True, name="secret-uses")
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_FLUSH_SECONDS):
            try:
                self.flush()
            except (SQLAlchemyError, DomainError) as error:
                structlog.get_logger(component="secrets").warning("secret_use_not_noted", error=type(error).__name__)

    def flush(self) -> None:
        """Write what was gathered."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        now = utcnow()
        with self._app.app_context(), reading():
            uses = {row_id: uses[row_id] for row_id in db.session.scalars(select(Secret.id).where(Secret.id.in_(uses)))}
        rows = [{"secret_id": secret_id, "last_used_at": now, "address": address[:64]} for secret_id, address in uses.items()]
        if rows:  # some may have been purged meanwhile
            with self._app.app_context(), transaction():
                upsert(SecretUse, rows)
