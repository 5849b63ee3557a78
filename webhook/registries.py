"""Whether a registry was away. What it had to tell and had not told yet is lost with it, so index and registry are compared at
once, and not only at the next time of the reconciler."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from authsvc.core.db import transaction
from authsvc.core.errors import Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.jobs import service as jobs
from authsvc.jobs.models import EVENT

log = structlog.get_logger(component="registries")


class Watch:
    """What one worker has seen of the registries. A worker compares at its own start, so what it sees first is no news."""

    def __init__(self) -> None:
        self._is_away = False
        self._instances: set[str] = set()

    def look(self, client: RegistryClient) -> None:
        """Ask the registry whether it is there."""
        try:
            client.ping()
        except Unavailable as error:
            if not self._is_away:
                log.warning("registry_away", error=error.message)
            self._is_away = True
            return
        if self._is_away:
            self._compare("it was away")
        self._is_away = False

    def hear(self, instances: Iterable[str]) -> None:
        """Events came from these processes of registries."""
        new = {instance for instance in instances if instance} - self._instances
        if new and self._instances:
            self._compare("it was started again")
        self._instances |= new

    def _compare(self, why: str) -> None:
        log.info("registry_returned", why=why)
        with transaction():
            jobs.launch_once("RECONCILE", EVENT)
