"""The worker: processes the inbox, and runs jobs when they are due or asked for."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from authsvc.core.base import create_base
from authsvc.core.db import reading, transaction, utcnow
from authsvc.core.errors import DomainError
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.jobs import leases
from authsvc.jobs import service as jobs
from authsvc.jobs.context import JobContext
from authsvc.system.health import WORKER_LEASE
from authsvc.wiring import JOBS, SCHEDULES, internal_registry, make_issuer
from webhook import recorder

_HEARTBEAT = 3.0
_JOB_LEASE = 60.0
# Between two looks into an empty inbox (seconds): short after an event, since events come in bursts, longer when idle.
_SHORTEST, _LONGEST = 0.02, 0.25

log = structlog.get_logger(component="worker")


class Worker:
    """One process: a thread for the inbox, one for jobs. Several may run; leases keep each thing to one of them."""

    def __init__(self, settings: Settings) -> None:
        self.app: Flask = create_base(settings)
        self._settings = settings
        self._issuer = make_issuer(settings)
        self._stop = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        with self.app.app_context(), transaction():
            jobs.launch("RECONCILE", "Event")
        threads = [
            threading.Thread(target=self._loop, args=(self._inbox, _SHORTEST, _LONGEST), name="inbox"),
            threading.Thread(target=self._loop, args=(self._jobs, 0.5, 0.5), name="jobs"),
            threading.Thread(target=self._loop, args=(self._heartbeat, _HEARTBEAT, _HEARTBEAT), name="heartbeat"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.app.app_context(), transaction():
            leases.give_back(WORKER_LEASE)
            leases.give_back(recorder.LEASE)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _loop(self, step: Callable[[RegistryClient], bool], shortest: float, longest: float) -> None:
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
            leases.take(WORKER_LEASE, 3 * _HEARTBEAT)
        return True

    def _inbox(self, registry: RegistryClient) -> bool:
        return recorder.run(registry) > 0

    def _jobs(self, registry: RegistryClient) -> bool:
        with reading():
            now = utcnow()
            due = [kind for kind, every in SCHEDULES.items() if jobs.is_due(kind, every(self._settings), now)]
            waiting = jobs.waiting()
        if due:
            with transaction():
                for kind in due:
                    jobs.launch(kind, "Schedule")
        for kind in waiting | set(due):
            run_next(kind, JobContext(self._settings, registry, keep_going=partial(_renew, kind)))
        return False


def run_next(kind: str, context: JobContext) -> bool:
    """Run the next task of a kind, if there is one and nobody else runs this kind; True if it ran."""
    with transaction():
        task = jobs.claim(kind) if leases.take(f"job:{kind}", _JOB_LEASE) else None
        task_id = task.id if task else None
    if task_id is None:
        return False
    started = time.monotonic()
    try:
        result, failed = JOBS[kind](context), False
    except DomainError as error:
        result, failed = {"error": error.message}, True
    except Exception as error:
        log.error("job_failed", kind=kind, exc_info=error)
        result, failed = {"error": type(error).__name__}, True
    with transaction():
        jobs.finish(task_id, result=result, failed=failed)
        leases.give_back(f"job:{kind}")
    log.info("job_ended", kind=kind, failed=failed, seconds=round(time.monotonic() - started, 3), **result)
    return True


def _renew(kind: str) -> None:
    with transaction():
        leases.renew(f"job:{kind}", _JOB_LEASE)
