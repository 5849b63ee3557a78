"""The registry's storage in a bucket of S3, Google or Azure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import structlog

from authsvc.core.errors import Unavailable
from authsvc.distribution.driver import Driver
from authsvc.distribution.objects import Objects
from authsvc.distribution.storage import PARTS, TREE, Stored, links, nothing

_REPOSITORIES, _BLOBS = f"{TREE}/repositories", f"{TREE}/blobs"
_MANIFESTS = "_manifests/revisions"
_BLOB = re.compile(rf"{_BLOBS}/(\w+)/\w+/(\w+)/data")

log = structlog.get_logger(component="storage")


class Bucket:
    """`Storage` there. Objects come whole or not at all, so that nobody need look whether they are. There are no directories to
    be moved: taking away takes as long as it takes."""

    def __init__(self, driver: Driver) -> None:
        self._objects = Objects(driver)
        self.name, self.provider = self._objects.name, driver.name

    def has_manifests(self, project: str) -> bool:
        return any(self._is_any(f"{found}/{_MANIFESTS}") for found in self._below(f"{_REPOSITORIES}/{project}"))

    def take_project(self, project: str, keep_going: Callable[[], None] = nothing) -> bool:
        return self._remove(f"{_REPOSITORIES}/{project}", keep_going)

    def take_repository(self, repository: str, keep_going: Callable[[], None] = nothing) -> bool:
        taken = [self._remove(f"{_REPOSITORIES}/{repository}/{part}", keep_going) for part in PARTS]
        return all(taken)

    def put_manifest(self, repository: str, digest: str, data: bytes, tag: str = "") -> bool:
        self._objects.put(_blob(digest), data)
        for path in links(repository, digest, tag):
            self._objects.put(f"{TREE}/{path}", digest.encode())
        return True

    def clear_removed(self) -> None:
        pass

    def look(self) -> None:
        """
        Raises:
            Unavailable: it does not answer, or does not let us see what is there.
        """
        self._objects.below(_REPOSITORIES)

    def all_blobs(self) -> Iterator[list[Stored]]:
        for batch in self._objects.batches(_BLOBS):
            found = ((_BLOB.fullmatch(one["path"]), one) for one in batch)
            yield [Stored(f"{at[1]}:{at[2]}", one["size"], one["last_modified"]) for at, one in found if at is not None]

    def all_manifests(self) -> Iterator[tuple[str, set[str]]]:
        for found in self._below(_REPOSITORIES):
            links = (path.split("/") for path in self._objects.paths(f"{found}/{_MANIFESTS}") if path.endswith("/link"))
            if digests := {f"{parts[-3]}:{parts[-2]}" for parts in links}:
                yield found.removeprefix(f"{_REPOSITORIES}/"), digests

    def content(self, digest: str, limit: int) -> bytes | None:
        return self._objects.read(_blob(digest), limit)

    def remove_blobs(self, digests: Sequence[str], still: Callable[[], None] = nothing) -> list[str]:
        still()
        try:
            self._objects.remove(map(_blob, digests))
        except Unavailable as error:  # some may be gone, which nobody minds
            log.error("not_removed", blobs=len(digests), error=error.message)
            return list(digests)
        return []

    def _below(self, place: str) -> Iterator[str]:
        """The paths of what is or could be a repository."""
        waiting = [place]
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


def _blob(digest: str) -> str:
    algorithm, _, encoded = digest.partition(":")
    return f"{_BLOBS}/{algorithm}/{encoded[:2]}/{encoded}/data"
