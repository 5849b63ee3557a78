"""What a job gets, and the form of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from authsvc.core.errors import DomainError
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient


class Stopped(Exception):
    """Somebody stopped the task, or another worker has it now: end here, and change nothing more."""


class Failed(DomainError):
    """A run that came to nothing, and is worth no more than so many attempts."""

    def __init__(self, message: str, attempts: int = 1) -> None:
        super().__init__(message)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class JobContext:
    """`keep_going` is to be called often in long runs, outside of transactions: it renews the task's lease and stores the
    log, or raises `Stopped`. `log` takes one line; what it says is read by whoever may see the task."""

    settings: Settings
    registry: RegistryClient
    keep_going: Callable[[], None]
    payload: Mapping[str, Any] = field(default_factory=dict)
    log: Callable[[str], None] = lambda _line: None
    task_id: int = 0
    execution_id: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """`run` works outside a transaction and commits its own; what it returns is kept as the task's `extra_attrs`.

    `exclusive`: one run at a time, over all workers. `attempts`: how often a run may fail until the task has; the waits
    between grow. `kept`: so many executions of each vendor are kept. `lasting`: it may take
    hours, and never all of a worker. `is_here`: whether a node with these settings can run it. `start`: what a schedule does when
    it is due, given vendor id and parameters, in a transaction; by default an execution of one task with the parameters as
    payload. `tell`: tells others what a run has returned, in the transaction that ends it; `tell_failure`: why the last run that
    it had has failed.
    """

    run: Callable[[JobContext], dict[str, Any]]
    exclusive: bool = True
    attempts: int = 1
    kept: int = 50
    lasting: bool = False
    is_here: Callable[[Settings], bool] = lambda settings: True
    start: Callable[[int, Mapping[str, Any]], object] | None = None
    tell: Callable[[JobContext, Mapping[str, Any]], None] | None = None
    tell_failure: Callable[[JobContext, str], None] | None = None
