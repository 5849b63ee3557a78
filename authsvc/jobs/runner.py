"""Running a task: claimed, kept while it goes on, ended in one of five ways (well, failed, stopped, taken over, interrupted)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import DomainError
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.jobs import queue
from authsvc.jobs.context import Failed, Job, JobContext, Stopped
from authsvc.jobs.logs import LogWriter
from authsvc.jobs.models import Task
from authsvc.jobs.queue import Candidate
from authsvc.observability import metrics, tracing

_LONGEST_WAIT = 3600  # seconds that a neighbour may ask for before the next attempt

log = structlog.get_logger(component="jobs")


class Interrupted(Exception):
    """The worker ends; the next one is to run the task again."""


@dataclass(frozen=True, slots=True)
class Runner:
    """One slot of a worker process: `worker` is its name; `is_ending` is asked at each `keep_going`. `is_quick`: it takes nothing
    that may last, so that what is done in a moment never waits for hours."""

    jobs: Mapping[str, Job]
    settings: Settings
    worker: str
    is_ending: Callable[[], bool] = lambda: False
    is_quick: bool = False

    def run_next(self, registry: RegistryClient) -> bool:
        """Run the oldest task that is due and free; False if there is none."""
        with reading():
            candidates = queue.due(but={kind for kind, job in self.jobs.items() if self.is_quick and job.lasting})
        return any(self._run(candidate, registry) for candidate in candidates if self._is_here(candidate.kind))

    def _is_here(self, kind: str) -> bool:
        return kind not in self.jobs or self.jobs[kind].is_here(self.settings)

    def _run(self, candidate: Candidate, registry: RegistryClient) -> bool:
        job = self.jobs.get(candidate.kind)
        with transaction():
            task = queue.claim(candidate, self.worker, exclusive=job is not None and job.exclusive)
            if task is None:
                return False
            db.session.flush()
            db.session.expunge(task)
        writer, started = LogWriter(task.id), time.monotonic()
        with tracing.span(f"job {task.kind}", tidegate_task=str(task.id)):
            outcome = self._outcome(job, task, writer, registry)
        seconds = time.monotonic() - started
        metrics.TASKS.labels(task.kind, outcome).inc()
        metrics.TASK_SECONDS.labels(task.kind, outcome).observe(seconds)
        log.info("job_ended", kind=task.kind, task=task.id, outcome=outcome, seconds=round(seconds, 3))
        return True

    def _outcome(self, job: Job | None, task: Task, writer: LogWriter, registry: RegistryClient) -> str:
        try:
            if job is None or task.run_count > queue.MAX_RUNS:
                reason = "there is no such job" if job is None else f"given up: {queue.MAX_RUNS} workers died with it"
                return self._fail(job, task, writer, registry, Failed(reason, attempts=0))
            return self._run_to_end(job, task, writer, registry)
        except Interrupted:
            with transaction():
                writer.store()
                queue.let_go(task)
            return "interrupted"
        except Stopped:
            writer.write("stopped")
            with transaction():
                writer.store()
                queue.withdraw(task)
            return "stopped"
        except DomainError as error:
            return self._fail(job, task, writer, registry, error)
        except Exception as error:
            log.error("job_failed", kind=task.kind, exc_info=error)
            return self._fail(job, task, writer, registry, DomainError(type(error).__name__))

    def _run_to_end(self, job: Job, task: Task, writer: LogWriter, registry: RegistryClient) -> str:
        context = self._context(job, task, writer, registry)
        result = job.run(context)
        with transaction():
            writer.store()
            if not queue.succeed(task, result):
                return "stopped"
            if job.tell is not None:
                job.tell(context, result)
        return "succeeded"

    def _fail(self, job: Job | None, task: Task, writer: LogWriter, registry: RegistryClient, error: DomainError) -> str:
        writer.write(f"failed: {error.message}")
        attempts = job.attempts if job else 0
        if isinstance(error, Failed):
            attempts = min(error.attempts, attempts)
        with transaction():
            writer.store()
            is_last = queue.fail(task, error.message, attempts, min(error.retry_after or 0, _LONGEST_WAIT))
            if is_last and job is not None and job.tell_failure is not None:
                job.tell_failure(self._context(job, task, writer, registry), error.message)
        return "failed"

    def _context(self, job: Job, task: Task, writer: LogWriter, registry: RegistryClient) -> JobContext:
        def keep_going() -> None:
            if self.is_ending():
                raise Interrupted
            with transaction():
                queue.renew(task.id, task.kind, self.worker, exclusive=job.exclusive)
                writer.store()

        payload: dict[str, Any] = dict(task.payload)
        return JobContext(self.settings, registry, keep_going, payload, writer.write, task.id, task.execution_id)
