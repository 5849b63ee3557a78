"""The registry's storage in a bucket of S3, Google or Azure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog

from authsvc.core.errors import Unavailable
from authsvc.distribution.driver import Driver
from authsvc.distribution.objects import Objects
from authsvc.distribution.storage import PARTS, TREE, nothing

_REPOSITORIES = f"{TREE}/repositories"

log = structlog.get_logger(component="storage")


class Bucket:
    """`Storage` there. Objects come whole or not at all, so that single blobs are none of our business. There are no directories
    to be moved: taking away takes as long as it takes."""

    def __init__(self, driver: Driver) -> None:
        self._objects = Objects(driver)
        self.name, self.provider = self._objects.name, driver.name

    def has_manifests(self, project: str) -> bool:
        return any(self._is_any(f"{found}/_manifests/revisions") for found in self._repositories_of(project))

    def take_project(self, project: str, keep_going: Callable[[], None] = nothing) -> bool:
        return self._remove(f"{_REPOSITORIES}/{project}", keep_going)

    def take_repository(self, repository: str, keep_going: Callable[[], None] = nothing) -> bool:
        taken = [self._remove(f"{_REPOSITORIES}/{repository}/{part}", keep_going) for part in PARTS]
        return all(taken)

    def clear_removed(self) -> None:
        pass

    def look(self) -> None:
        """
        Raises:
            Unavailable: it does not answer, or does not let us see what is there.
        """
        self._objects.below(_REPOSITORIES)

    def _repositories_of(self, project: str) -> Iterator[str]:
        waiting = [f"{_REPOSITORIES}/{project}"]
        while waiting:
            here = waiting.pop()
            yield here
            waiting += [f"{here}/{name}" for name in self._objects.below(here) if not name.startswith("_")]

    def _is_any(self, prefix: str) -> bool:
        return any(path.endswith("/link") for path in self._objects.paths(prefix))

    def _remove(self, prefix: str, keep_going: Callable[[], None]) -> bool:
        try:
            self._objects.remove(self._objects.paths(prefix), keep_going)
        except Unavailable as error:
            log.error("not_removed", path=prefix, error=error.message)
            return False
        return True
