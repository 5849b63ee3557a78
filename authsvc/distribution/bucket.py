"""The registry's storage in a bucket of S3, Google or Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import structlog
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from authsvc.core.errors import Unavailable
from authsvc.distribution.driver import Driver
from authsvc.distribution.storage import PARTS, TREE

_ANSWER = re.compile(r"<Code>(\w+)</Code>.*?<Message>([^<]{0,300})", re.DOTALL)
_REPOSITORIES = f"{TREE}/repositories"

log = structlog.get_logger(component="storage")


class Bucket:
    """`Storage` there. Objects come whole or not at all, and asking for each takes long, so that nothing is said of single blobs.
    There are no directories to be moved: taking away takes as long as it takes."""

    is_visible = False

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def name(self) -> str:
        return self._driver.bucket

    @cached_property
    def _store(self) -> ObjectStore:
        """Opened by the process that asks: it has threads of its own, which no child of ours would inherit."""
        return self._driver.open()

    def size(self, digest: str) -> int | None:
        return None

    def has(self, repository: str, digest: str) -> bool:
        return False

    def drop_empty_links(self, repository: str) -> None:
        pass

    def has_manifests(self, project: str) -> bool:
        return any(self._is_any(f"{found}/_manifests/revisions") for found in self._repositories_of(project))

    def take_project(self, project: str) -> bool:
        return self._remove(f"{_REPOSITORIES}/{project}")

    def take_repository(self, repository: str) -> bool:
        taken = [self._remove(f"{_REPOSITORIES}/{repository}/{part}") for part in PARTS]
        return all(taken)

    def clear_removed(self) -> None:
        pass

    def set_aside(self, digest: str) -> bool:
        return False

    def look(self) -> None:
        """
        Raises:
            Unavailable: it does not answer, or does not let us see what is there.
        """
        with self._answering():
            self._store.list_with_delimiter(_REPOSITORIES)

    def _repositories_of(self, project: str) -> Iterator[str]:
        waiting = [f"{_REPOSITORIES}/{project}"]
        while waiting:
            here = waiting.pop()
            yield here
            with self._answering():
                below = self._store.list_with_delimiter(here)["common_prefixes"]
            waiting += [prefix.rstrip("/") for prefix in below if not prefix.rstrip("/").rpartition("/")[2].startswith("_")]

    def _is_any(self, prefix: str) -> bool:
        with self._answering():
            return any(found["path"].endswith("/link") for batch in self._store.list(prefix) for found in batch)

    def _remove(self, prefix: str) -> bool:
        try:
            with self._answering():
                for batch in self._store.list(prefix):
                    self._store.delete([found["path"] for found in batch])
        except Unavailable as error:
            log.error("not_removed", path=prefix, error=error.message)
            return False
        return True

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise Unavailable(f"{self.name} does not answer as it should: {_said(error)}") from error


def _said(error: Exception) -> str:
    """The store's own words, or the client's about what came instead; not what was asked."""
    if (answer := _ANSWER.search(str(error))) is not None:
        return f"{answer[1]}: {answer[2]}"
    return " ".join(str(error).partition("Debug source")[0].rpartition(" - ")[2].split())[:300]
