"""Each node says that it is there, in a thread of its own: a database that does not answer holds nothing else up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from authsvc.core.base import create_base
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.nodes import service

_PATIENCE = 3.0  # seconds for which the end of a node waits for the database

log = structlog.get_logger(component="node")


class Presence:
    """Of one node: from `start` to `stop`."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, settings: Settings, parts: Sequence[str]) -> None:
        """Say from now on that this node is there, and runs these parts; its database is prepared."""
        self.stop()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=_announce, args=(settings, parts, self._ended), name="presence", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say that it ends."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
            self._thread = None


def _announce(settings: Settings, parts: Sequence[str], ended: threading.Event) -> None:
    app, start_time, is_off = create_base(settings), utcnow(), False
    name = service.own_name(Layout(settings))
    with app.app_context():
        while not ended.is_set():
            try:
                with transaction():
                    ahead = service.beat(name, parts, start_time)
            except (DomainError, SQLAlchemyError) as error:
                log.warning("not_announced", error=str(error)[:300])
            else:
                if (abs(ahead) > service.CLOCK) is not is_off:
                    is_off = not is_off
                    say = log.error if is_off else log.info
                    say("clock_is_off" if is_off else "clock_is_right", seconds_ahead=round(ahead.total_seconds(), 1))
            ended.wait(service.BEAT)
        try:
            with transaction():
                service.leave(name)
        except (DomainError, SQLAlchemyError) as error:
            log.warning("not_left", error=str(error)[:300])
        db.engine.dispose()
