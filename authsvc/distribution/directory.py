"""The registry's storage in a directory.

The registry takes a file for stored as soon as it exists. One that was cut off, by a kill or a full disk, is never written again,
whoever pushes it; so it is moved out of the way, and pushing again mends what it belongs to. In a bucket nothing is cut off.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import structlog

from authsvc.core.errors import Unavailable
from authsvc.distribution.storage import PARTS, TREE, Stored, links, nothing

_SETTLED = 60.0  # seconds after which nobody is writing a link any more
_ASIDE, _REMOVED = "damaged", "removed"  # beside the registry's own directory

log = structlog.get_logger(component="storage")


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

    def put_manifest(self, repository: str, digest: str, data: bytes, tag: str = "") -> bool:
        if not self.is_visible:
            return False
        try:
            _write(self.file(digest), data)
            for path in links(repository, digest, tag):
                _write(self.tree / path, digest.encode())
        except OSError as error:
            log.error("not_written", repository=repository, digest=digest, error=type(error).__name__)
            raise Unavailable("the registry's storage takes nothing; its log says why") from error
        return True

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

    def all_blobs(self) -> Iterator[list[Stored]]:
        for algorithm in _below(self.blobs):
            for prefix in _below(algorithm):
                yield [one for found in _below(prefix) if (one := _stored(algorithm.name, found)) is not None]

    def all_manifests(self) -> Iterator[tuple[str, set[str]]]:
        for here, below, _ in os.walk(self.repositories):
            if PARTS[0] in below:
                links = Path(here, PARTS[0], "revisions").glob("*/*/link")
                found = {f"{link.parent.parent.name}:{link.parent.name}" for link in links}
                yield str(Path(here).relative_to(self.repositories)), found
            below[:] = [name for name in below if name not in PARTS]

    def content(self, digest: str, limit: int) -> bytes | None:
        try:
            with self.file(digest).open("rb") as file:
                read = file.read(limit + 1)
        except FileNotFoundError:
            return None
        return read if len(read) <= limit else None

    def remove_blobs(self, digests: Sequence[str], still: Callable[[], None] = nothing) -> list[str]:
        return [digest for digest in digests if not self._remove(digest, still)]

    def _remove(self, digest: str, still: Callable[[], None]) -> bool:
        """Out of sight in one step: whoever puts it anew at this moment finds no half of the old one."""
        if self.root is None:
            return False
        still()
        gone = self.root / _REMOVED / uuid4().hex
        try:
            gone.parent.mkdir(exist_ok=True)
            self.file(digest).parent.rename(gone)
        except FileNotFoundError:
            return True
        except OSError as error:
            log.error("not_removed", digest=digest, error=type(error).__name__)
            return False
        shutil.rmtree(gone, ignore_errors=True)
        return True

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


def _write(path: Path, data: bytes) -> None:
    """In one step, so that the registry never finds a part; in directories that are as open to nginx as those above."""
    missing = []
    for directory in path.parents:
        if directory.is_dir():
            mode = directory.stat().st_mode & 0o7777
            break
        missing.append(directory)
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        directory.chmod(mode)
    beside = path.with_name(f"{path.name}-{uuid4().hex}")
    try:
        with beside.open("xb") as file:
            os.fchmod(file.fileno(), mode & 0o640)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _below(directory: Path) -> list[Path]:
    """What is there, by name."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stored(algorithm: str, directory: Path) -> Stored | None:
    try:
        status = (directory / "data").stat()
    except (FileNotFoundError, NotADirectoryError):  # it goes at this moment; or the registry was killed as it came
        return None
    return Stored(f"{algorithm}:{directory.name}", status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


ELSEWHERE = Directory(None)
