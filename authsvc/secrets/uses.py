"""When and from where secrets were used last: noted off the hot path."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from authsvc.core.background import Flusher
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.inserts import upsert
from authsvc.secrets.models import Secret, SecretUse

_FLUSH_SECONDS = 20.0


class UseRecorder:
    """Notes uses in the background: "last used" may lag by some seconds, nothing else depends on it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._uses: dict[int, str] = {}
        self._flusher = Flusher("secret-uses", _FLUSH_SECONDS, self.flush)

    def note(self, secret_id: int, address: str) -> None:
        """A secret was used now, from that address."""
        self._uses[secret_id] = address
        self._flusher.start()

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
