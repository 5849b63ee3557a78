"""The registry's storage: the layout of registry 2 and 3 below `docker/registry/v2`, in a directory or a bucket.

The registry takes a file for stored as soon as it exists. One that was cut off, by a kill or a full disk, is never written again,
whoever pushes it; so it is moved out of the way, and pushing again mends what it belongs to. In a bucket nothing is cut off.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol
from uuid import uuid4

import structlog

TREE = "docker/registry/v2"
_SETTLED = 60.0  # seconds after which nobody is writing a link any more
PARTS = ("_manifests", "_layers", "_uploads")  # what a repository has
_ASIDE, _REMOVED = "damaged", "removed"  # beside the registry's own directory

log = structlog.get_logger(component="storage")


def nothing() -> None:
    """What is asked between steps, where nobody minds how many there are."""


class Storage(Protocol):
    """What is done to it beside the registry: outside of transactions, since a bucket is asked over the network."""

    @property
    def provider(self) -> str:
        """The registry's own name of its driver."""

    def has_manifests(self, project: str) -> bool:
        """Whether a repository of a project has a manifest.

        Raises:
            Unavailable: the storage does not answer.
        """

    def take_project(self, project: str, keep_going: Callable[[], None] = nothing) -> bool:
        """Take away all that repositories of a project have: links to blobs, and uploads. False if that is not possible.
        `keep_going` is asked before each step, and may end it by whatever it raises."""

    def take_repository(self, repository: str, keep_going: Callable[[], None] = nothing) -> bool:
        """The same of one repository, and not of those below it."""

    def clear_removed(self) -> None:
        """Remove what was taken away; however long that takes, it is out of sight."""


@dataclass(frozen=True, slots=True)
class Directory:
    """`Storage` below `root`, and what can be said and done of single blobs there; None, or where there is nothing: the registry
    stores elsewhere."""

    root: Path | None

    provider: ClassVar[str] = "filesystem"

    @property
    def tree(self) -> Path:
        """What the registry has below its root."""
        return (self.root or Path("/nowhere")) / TREE

    @property
    def blobs(self) -> Path:
        """Blobs, as `sha256/ab/ab…/data`."""
        return self.tree / "blobs"

    @property
    def repositories(self) -> Path:
        """What each repository has, as links to blobs; and uploads."""
        return self.tree / "repositories"

    @property
    def is_visible(self) -> bool:
        """Whether anything can be said about single blobs."""
        return self.root is not None and self.blobs.is_dir()

    def file(self, digest: str) -> Path:
        """Where a blob is, if it is there."""
        algorithm, _, encoded = digest.partition(":")
        return self.blobs / algorithm / encoded[:2] / encoded / "data"

    def size(self, digest: str) -> int | None:
        """How many bytes of a blob are there; None if it is not."""
        try:
            return self.file(digest).stat().st_size
        except FileNotFoundError:
            return None

    def has(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob: a link to it, without which the registry answers 404."""
        return (self._layers(repository) / digest.replace(":", "/") / "link").exists()

    def drop_empty_links(self, repository: str) -> None:
        """A full disk leaves links in which nothing stands. The registry answers 500 for such a blob, also to whoever would push
        it again, and never writes the link anew. One that is new is only just being written."""
        before = time.time() - _SETTLED
        for link in self._layers(repository).glob("*/*/link"):
            with suppress(FileNotFoundError):
                status = link.stat()
                if status.st_size == 0 and status.st_mtime < before:
                    link.unlink()
                    log.warning("empty_link_dropped", repository=repository, digest=link.parent.name)

    def has_manifests(self, project: str) -> bool:
        return any(any(found.glob("_manifests/revisions/*/*/link")) for found in self._repositories_of(project))

    def take_project(self, project: str, keep_going: Callable[[], None] = nothing) -> bool:
        return self._take_away(self._repository(project))

    def take_repository(self, repository: str, keep_going: Callable[[], None] = nothing) -> bool:
        here = self._repository(repository)
        taken = [self._take_away(here / part) for part in PARTS]
        return all(taken)

    def clear_removed(self) -> None:
        for gone in (self.root / _REMOVED).glob("*") if self.root is not None else ():
            shutil.rmtree(gone, ignore_errors=True)

    def _take_away(self, path: Path) -> bool:
        """Out of the registry's sight in one step, however much it is; `clear_removed` removes it."""
        if self.root is None or not path.exists():
            return True
        aside = self.root / _REMOVED
        try:
            aside.mkdir(exist_ok=True)
            path.rename(aside / uuid4().hex)
        except FileNotFoundError:  # somebody else was faster
            return True
        except OSError as error:
            log.error("not_removed", path=path.name, error=type(error).__name__)
            return False
        return True

    def _repositories_of(self, project: str) -> Iterator[Path]:
        waiting = [self._repository(project)]
        while waiting:
            here = waiting.pop()
            yield here
            with suppress(FileNotFoundError, NotADirectoryError):
                waiting += [found for found in here.iterdir() if not found.name.startswith("_")]

    def set_aside(self, digest: str) -> bool:
        """Move a blob out of the way that is not what its digest says; False if it is, or cannot be seen."""
        if not self.is_visible or self.root is None:
            return False
        try:
            if self._is_whole(digest):
                return False
            aside = self.root / _ASIDE
            aside.mkdir(exist_ok=True)
            self.file(digest).rename(aside / digest.replace(":", "-"))
        except OSError as error:
            log.warning("not_set_aside", digest=digest, error=type(error).__name__)
            return False
        log.warning("set_aside", digest=digest)
        return True

    def _is_whole(self, digest: str) -> bool:
        algorithm = digest.partition(":")[0]
        with self.file(digest).open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}" == digest

    def _repository(self, repository: str) -> Path:
        return self.repositories / repository

    def _layers(self, repository: str) -> Path:
        return self._repository(repository) / "_layers"


ELSEWHERE = Directory(None)
