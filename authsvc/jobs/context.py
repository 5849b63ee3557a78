"""What a job gets, and the form of a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient


@dataclass(frozen=True, slots=True)
class JobContext:
    """`keep_going` is to be called often in long runs: it renews the job's lease, or raises when that is lost."""

    settings: Settings
    registry: RegistryClient
    keep_going: Callable[[], None]


# Runs outside a transaction and commits its own; what it returns is kept as the task's result.
Job = Callable[[JobContext], dict[str, Any]]
