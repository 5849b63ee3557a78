"""`authsvc serve`: some parts alone, as containers run them. Each container is a node of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import structlog
from flask import Flask

from authsvc.core.base import create_base
from authsvc.core.errors import DomainError, Unavailable
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.observability import logs
from authsvc.stack import lock, rendering, selftest, tls
from authsvc.stack.prepare import Prepared, prepare
from authsvc.stack.presence import Presence
from authsvc.stack.rendering import NotReady
from authsvc.stack.tree import Tree
from authsvc.stack.watchdog import Watchdog
from authsvc.stack.welcome import CONTAINERS, welcome
from authsvc.system import health
from authsvc.token import tasks
from authsvc.token.keys import KeyStore

_DATABASE_WITHIN = 120.0  # seconds; servers start at the same time as we do
_READY_WITHIN = 120.0
_PAUSE, _CARE = 1.0, 60.0

log = structlog.get_logger(component="serve")


def prepare_when_reached(settings: Settings, is_ended: Callable[[], bool] = lambda: False) -> Prepared:
    """Prepare this node, as soon as the database answers; `is_ended`: nobody waits for it any more.

    Raises:
        Unavailable: it does not for two minutes.
    """
    app, until = create_base(settings), time.monotonic() + _DATABASE_WITHIN
    while True:
        try:
            return prepare(app, settings)
        except Unavailable as error:
            if time.monotonic() > until or is_ended():
                raise
            log.warning("database_is_waited_for", reason=error.message)
            time.sleep(_PAUSE)


def serve(settings: Settings, names: Sequence[str], listen: str, containers: Path | None) -> int:
    """Prepare this node, run the parts, and start again what dies, until SIGTERM; meanwhile keep what nginx and the registry have
    below `containers` as it should be. Returns the exit status.

    Raises:
        Unavailable: the database does not answer for two minutes.
        Conflict: somebody else uses the state directory.
    """
    logs.configure(settings.log_level, "serve")
    layout = Layout(settings)
    stops: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stops.append(number)
        tree.stop()

    with lock.held(layout):
        tree = Tree(layout, output=None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        prepare_when_reached(settings, lambda: bool(stops))
        rendering.for_parts(settings, names, listen)
        presence, watchdog, care = Presence(), Watchdog(layout.pulse), _Care(settings, containers, rotates="worker" not in names)

        def meanwhile() -> None:
            watchdog.look()
            care.look()

        try:
            presence.start(settings, names)
            while not stops:
                tree.start()
                if stops:  # it was told before there was anything to stop
                    tree.stop()
                tree.wait(meanwhile)
        finally:
            presence.stop()
            tree.end()
    return 0


class _Care:
    """What expires: the key that this node signs with, which only a worker sees to by itself, and the certificate of nginx."""

    def __init__(self, settings: Settings, containers: Path | None, *, rotates: bool) -> None:
        self._settings, self._containers, self._rotates = settings, containers, rotates
        self._app = create_base(settings)
        self._due = 0.0

    def look(self) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _CARE
        try:
            if self._containers is not None:
                rendering.for_containers(self._settings, self._containers)
            else:  # what `/health` and metrics look at
                tls.prepare(self._settings)
            if self._rotates:
                with self._app.app_context():
                    tasks.rotate_if_due(KeyStore(Layout(self._settings).keys))
        except (OSError, ValueError, DomainError) as error:
            log.error("care_failed", error=str(error)[:300])


def ready(settings: Settings, at: str) -> int:
    """Wait until containers are all there, with nginx `at` a host, prove it, and say how to log in. Returns the exit status.

    Raises:
        NotReady: one did not come up.
    """
    begun, app = time.monotonic(), create_base(settings)
    prepared = prepare_when_reached(settings)
    _wait(app, settings, at)
    trouble = selftest.trouble(app, settings, at)
    welcome(settings, prepared, time.monotonic() - begun, trouble, CONTAINERS)
    return 1 if trouble else 0


def _missing(settings: Settings, visit: selftest.SelfTest) -> list[str]:
    names = [part.name for part in health.needed(settings) if part.error]
    return names or ([] if visit.is_near() else ["nginx"])


def _wait(app: Flask, settings: Settings, at: str) -> None:
    until, visit = time.monotonic() + _READY_WITHIN, selftest.SelfTest(app, settings, at)
    with app.app_context():
        while names := _missing(settings, visit):
            if time.monotonic() > until:
                raise NotReady(f"{', '.join(names)} did not come up within {_READY_WITHIN:.0f} s; the logs say why")
            time.sleep(_PAUSE)
