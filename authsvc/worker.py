"""The worker: processes the inbox, starts what is scheduled, and runs jobs."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import FrameType

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from authsvc.artifacts import settling
from authsvc.audit import service as audit
from authsvc.audit.forward import LEASE as FORWARD_LEASE
from authsvc.audit.forward import Forwarder
from authsvc.core import pulse
from authsvc.core.base import create_base
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import DomainError, Unavailable
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.distribution.client import RegistryClient
from authsvc.jobs import leases, monitor, schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT, SCHEDULE, Schedule
from authsvc.jobs.runner import Runner
from authsvc.system.health import WORKER_LEASE, WORKER_LEASE_LENGTH
from authsvc.token import tasks as tokens
from authsvc.token.keys import KeyStore
from authsvc.wiring import EVERY, HEARERS, JOBS, internal_registry, make_issuer
from webhook import recorder
from webhook.registries import Watch

_HEARTBEAT = 3.0
_JOURNAL_PAUSE = 1.0
_JOBS_PAUSE = 0.5
_AUDIT_PAUSE = 1.0
_REGISTRY_PAUSE = 2.0
_KEYS_PAUSE = 600.0
_SCHEDULE_LEASE = "schedule"
_MOST_AHEAD = timedelta(minutes=1)  # of clocks that differ a little
# Between two looks into an empty inbox (seconds): short after an event, since events come in bursts, longer when idle.
_SHORTEST, _LONGEST = 0.02, 0.25

log = structlog.get_logger(component="worker")


class Worker:
    """One process: a thread for the inbox, one for schedules, some for jobs. Several may run; leases and claims keep each
    thing to one of them."""

    def __init__(self, settings: Settings) -> None:
        self.app: Flask = create_base(settings)
        audit.tell(self.app, HEARERS)
        self._settings = settings
        with self.app.app_context():
            self._issuer = make_issuer(settings, VersionReader(db.engine))
        self._keys = KeyStore(Layout(settings).keys)
        self._stop = threading.Event()
        self._start_time = utcnow()
        self._watch = Watch()
        self._is_broken = False

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        pulse.begin(Layout(self._settings).pulse)
        with self.app.app_context(), transaction():
            jobs.launch_once("RECONCILE", EVENT)
        threads = [threading.Thread(target=self._loop, args=loop, name=name) for name, *loop in self._loops()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.app.app_context(), transaction():
            monitor.leave()
            leases.give_back(WORKER_LEASE)
            leases.give_back(recorder.LEASE)
            leases.give_back(FORWARD_LEASE)
        if self._is_broken:
            sys.exit("a thread of the worker died")

    def _loops(self) -> Iterator[tuple[str, Callable[[RegistryClient], bool], float, float]]:
        """What each thread does: name, step, shortest and longest pause between two steps in seconds."""
        yield "inbox", self._inbox, _SHORTEST, _LONGEST
        yield "schedule", self._schedule, _JOBS_PAUSE, _JOBS_PAUSE
        yield "heartbeat", self._heartbeat, _HEARTBEAT, _HEARTBEAT
        yield "journal", self._journal, _JOURNAL_PAUSE, _JOURNAL_PAUSE
        yield "keys", self._rotate, _KEYS_PAUSE, _KEYS_PAUSE
        yield "registry", self._look_at_registry, _REGISTRY_PAUSE, _REGISTRY_PAUSE
        forwarder = Forwarder(self._settings)
        yield "audit", lambda _: forwarder.run(), _SHORTEST, _AUDIT_PAUSE
        for slot in range(self._settings.job_workers):
            name, is_quick = monitor.slot_name(leases.POOL, slot), slot == 0 and self._settings.job_workers > 1
            runner = Runner(JOBS, self._settings, name, self._stop.is_set, is_quick)
            yield f"jobs-{slot}", runner.run_next, _SHORTEST, _JOBS_PAUSE

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _loop(self, step: Callable[[RegistryClient], bool], shortest: float, longest: float) -> None:
        """A thread's whole life. One that dies takes the process along, which is started again, with all its threads."""
        try:
            self._work(step, shortest, longest)
        finally:
            self._is_broken |= not self._stop.is_set()
            self._stop.set()

    def _work(self, step: Callable[[RegistryClient], bool], shortest: float, longest: float) -> None:
        pause = 0.0
        registry = internal_registry(self._settings, self._issuer, "worker")
        while not self._stop.wait(pause):
            try:
                with self.app.app_context():
                    did_something = step(registry)
                pause = shortest if did_something else min(max(pause, shortest) * 1.5, longest)
            except (DomainError, SQLAlchemyError) as error:
                log.warning("worker_step_failed", step=threading.current_thread().name, error=str(error)[:300])
                pause = 1.0
            except Exception as error:
                log.error("worker_step_failed", step=threading.current_thread().name, exc_info=error)
                pause = 1.0

    def _heartbeat(self, _registry: RegistryClient) -> bool:
        self._issuer.refresh()
        with transaction():
            leases.take(WORKER_LEASE, WORKER_LEASE_LENGTH.total_seconds())
            monitor.beat(socket.gethostname(), os.getpid(), self._settings.job_workers, self._start_time)
            buried = monitor.bury()
        for pool in buried:
            log.warning("worker_buried", pool=pool)
        return True

    def _journal(self, registry: RegistryClient) -> bool:
        return settling.settle_due(registry) > 0

    def _inbox(self, registry: RegistryClient) -> bool:
        return recorder.run(registry, self._watch) > 0

    def _rotate(self, _registry: RegistryClient) -> bool:
        tokens.rotate_if_due(self._keys)
        return False

    def _look_at_registry(self, registry: RegistryClient) -> bool:
        self._watch.look(registry)
        return False

    def _schedule(self, _registry: RegistryClient) -> bool:
        start_due(self._settings)
        return False


def start_due(settings: Settings) -> None:
    """Start what recurs and whose time has come: by the interval that wiring gives it, or by its schedule."""
    with reading():
        kinds, due = _over(settings), schedules.due()
        db.session.expunge_all()
    if kinds:
        with transaction():
            if leases.take(_SCHEDULE_LEASE, _HEARTBEAT):  # and its row stays locked until the starts are committed
                for kind in _over(settings):
                    jobs.launch_once(kind, SCHEDULE)
    for schedule in due:
        _start(schedule)


def _over(settings: Settings) -> list[str]:
    """The kinds of jobs whose interval is over since they were started last."""
    started, now = jobs.last_start(EVERY), utcnow()

    def is_over(kind: str) -> bool:
        """Also what began in the future, when a clock was ahead."""
        since = now - started[kind]
        return since >= timedelta(seconds=EVERY[kind](settings)) or since < -_MOST_AHEAD

    return [kind for kind in EVERY if EVERY[kind](settings) and (kind not in started or is_over(kind))]


def _start(schedule: Schedule) -> None:
    job = JOBS.get(schedule.vendor_type)
    try:
        with transaction():
            if not schedules.take(schedule):
                return
            if job is not None and job.start is not None:
                job.start(schedule.vendor_id, schedule.params)
            else:
                jobs.launch(schedule.vendor_type, SCHEDULE, schedule.vendor_id, schedule.params, schedule.params)
    except (DomainError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, Unavailable):
            raise
        log.error("schedule_failed", kind=schedule.vendor_type, vendor_id=schedule.vendor_id, exc_info=error)
        with transaction():
            schedules.take(schedule)  # this time is lost, the next one comes
