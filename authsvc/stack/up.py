"""`authsvc up`: the whole stack on this host, proven before it says so; and what it is asked while it runs."""

from __future__ import annotations

import json
import os
import signal
import time
from types import FrameType

import structlog

from authsvc.core.base import create_base
from authsvc.core.crypto import write_private
from authsvc.core.db import db
from authsvc.core.errors import Conflict, DomainError
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings, SettingsError
from authsvc.stack import lock, parts, rendering, selftest, tls
from authsvc.stack import prepare as preparation
from authsvc.stack.presence import Presence
from authsvc.stack.readiness import require_free_ports, wait_until_ready
from authsvc.stack.rolling import replace_workers
from authsvc.stack.tree import Tree
from authsvc.stack.upkeep import Upkeep
from authsvc.stack.watchdog import Watchdog
from authsvc.stack.welcome import doubts, welcome

RESTART, RELOAD = signal.SIGUSR1, signal.SIGUSR2
PARTS = ("nginx", "registry", *parts.NAMES)
_PAUSE = 1.0  # seconds before supervisord is started again
# Who reads settings anew when told so, and goes on meanwhile; a worker ends, is started again, and what it had in hand goes on.
_RELOADED = (("api", signal.SIGHUP), ("webhook", signal.SIGHUP), ("worker", signal.SIGTERM))

log = structlog.get_logger(component="up")


def up(settings: Settings) -> int:
    """Prepare, start, wait, prove, say how to log in; then run until stopped. Returns the exit status.

    Raises:
        Conflict: it runs already.
        NotReady
    """
    layout = Layout(settings)
    for number in (RESTART, RELOAD):
        signal.signal(number, signal.SIG_IGN)  # until there is something to restart
    with lock.held(layout):
        tree = Tree(layout)
        tree.end_left_overs()
        require_free_ports(settings)
        try:
            return Running(settings, tree).run()
        finally:
            tree.end()


class Running:
    """What one `up` does from its start to its end. Signals only note what is asked; it is done between two looks."""

    def __init__(self, settings: Settings, tree: Tree) -> None:
        self._settings, self._tree = settings, tree
        self._layout = Layout(settings)
        self._stops = 0
        self._asked: int | None = None
        self._begins_anew = False
        self._done = 0
        self._presence = Presence()
        self._upkeep: Upkeep
        self._watchdog: Watchdog

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        for number in (RESTART, RELOAD):
            signal.signal(number, self._ask)
        try:
            self._begin()
            return self._watch()
        finally:
            self._presence.stop()

    def _watch(self) -> int:
        while not self._stops:
            status = self._tree.wait(self._meanwhile)
            if self._begins_anew and not self._stops:
                self._begins_anew = False
                self._begin()
            elif not self._stops:
                log.error("supervisor_ended", status=status)
                time.sleep(_PAUSE)
                if not self._stops:
                    self._tree.start()
        return 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """In peace, so that what is being carried arrives; who asks twice does not want to wait."""
        self._stops += 1
        if self._stops == 1:
            self._tree.stop()
        else:
            self._tree.hurry()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked = number

    def _begin(self) -> None:
        started = time.monotonic()
        app = create_base(self._settings)
        ready = preparation.prepare(app, self._settings)
        rendering.on_host(self._settings, ready.certificate, ready.key)
        self._watchdog = Watchdog(self._layout.pulse)
        self._upkeep = Upkeep(self._settings)  # before nginx reads what may be renewed at any moment
        self._presence.start(self._settings, PARTS)
        self._tree.start()
        with app.app_context():
            wait_until_ready(self._settings, lambda: self._tree.is_alive and not self._stops)
        if not self._stops:
            trouble = selftest.trouble(app, self._settings)
            welcome(self._settings, ready, time.monotonic() - started, trouble)
            with app.app_context():
                doubts(self._settings)
                db.engine.dispose()
            self._note("")

    def _meanwhile(self) -> None:
        self._upkeep.look()
        self._watchdog.look()
        asked, self._asked = self._asked, None
        if asked is None or self._stops:
            return
        try:
            settings = self._read_anew()
            if asked == RESTART:
                self._settings, self._begins_anew = settings, True
                self._tree.stop()
            else:
                upkeep = Upkeep(settings)
                self._reload(settings)
                self._settings, self._upkeep = settings, upkeep
                self._note("")
        except (DomainError, SettingsError, OSError) as error:
            log.error("not_reloaded", error=str(error))
            self._note(str(error))

    def _read_anew(self) -> Settings:
        """The settings as they are now; the environment of a process does not change, a file of settings does.

        Raises:
            SettingsError, PreconditionFailed: they cannot be used; everything goes on as it is.
            Conflict: they are another installation's.
        """
        settings = Settings.from_env()
        if settings.state_dir != self._settings.state_dir:
            raise Conflict("the state directory cannot be changed while it is in use: stop, and start with the other one")
        tls.prepare(settings)
        return settings

    def _reload(self, settings: Settings) -> None:
        """Configuration files and processes, one after another, by the new settings; nobody is cut off.

        Raises:
            Conflict: that needs a restart; nothing has changed.
        """
        supervisor, registry = (self._layout.config / name for name in ("supervisord.conf", "registry.yml"))
        before = supervisor.read_bytes(), registry.read_bytes()
        rendering.on_host(settings, *tls.prepare(settings))
        if supervisor.read_bytes() != before[0] or registry.read_bytes() != before[1]:
            rendering.on_host(self._settings, *tls.prepare(self._settings))
            raise Conflict("addresses, the number of processes, or what the registry reads has changed: use `authsvc restart`")
        self._tree.tell("nginx", signal.SIGHUP)
        for program, number in _RELOADED:
            self._tree.tell(program, number)
        for master in self._tree.pids("token"):
            replace_workers(master, lambda: not self._stops)

    def _note(self, trouble: str) -> None:
        """For whoever asked and waits."""
        self._done += 1
        write_private(self._layout.done, json.dumps({"process": os.getpid(), "done": self._done, "trouble": trouble}))
