"""The directory where backups are: a directory for each, whole or not there."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from authsvc.backup import rules
from authsvc.backup.blobs import place
from authsvc.backup.files import sync
from authsvc.backup.keys import PLAIN
from authsvc.core.clock import from_rfc3339, rfc3339
from authsvc.core.errors import Conflict, NotFound, PreconditionFailed

_NAME, _FORMAT = re.compile(r"\d{8}T\d{6}Z", re.ASCII), "%Y%m%dT%H%M%SZ"
# What becomes part of a path: it comes from where others can write.
_MARK = re.compile(rf"{PLAIN}|[0-9a-f]{{16}}")
_DIGEST = re.compile(r"sha(?:256|384|512):[0-9a-f]{64,128}")
ABOUT, ARCHIVE, BLOBS = "about.json", "archive.age", "blobs.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What is known of one without opening it. `schema`: of its database; `size` and `digest`: of the archive, bytes and
    SHA-256; `blobs` and `blob_bytes`: of the registry's storage, None if that is kept elsewhere; `counts`: rows of some tables;
    `whom_for`: names the directory with its blobs."""

    name: str
    made_at: datetime
    version: str
    schema: str
    database: str
    external_url: str
    counts: dict[str, int]
    size: int
    digest: str
    recipients: list[str]
    whom_for: str
    blobs: int | None
    blob_bytes: int


@dataclass(frozen=True, slots=True)
class Shelf:
    root: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else makes or removes backups here meanwhile; what an interrupted one has left is gone.

        Raises:
            Conflict: somebody else does.
            PreconditionFailed: the directory cannot be used.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise PreconditionFailed(f"backups cannot be kept in {self.root}: {error}") from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Conflict(f"another backup is being made or removed in {self.root}") from None
            for left in self.root.glob(".*.part"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def new(self, moment: datetime) -> Iterator[Path]:
        """A directory to fill, which becomes a backup when all went well.

        Raises:
            Conflict: one was made within the same second.
        """
        name = name_of(moment)
        directory, part = self.root / name, self.root / f".{name}.part"
        if directory.exists():
            raise Conflict(f"there is a backup {name} already")
        part.mkdir(mode=0o700)
        try:
            yield part
            for path in (*part.iterdir(), part):
                sync(path)
            part.rename(directory)
            sync(self.root)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def backups(self) -> list[Backup]:
        """The newest first; directories that cannot be read as one are left out."""
        names = (path.name for path in self.root.glob("*Z") if is_name(path.name))
        return [found for name in sorted(names, reverse=True) if (found := self._read(name)) is not None]

    def find(self, name: str = "") -> Backup:
        """One by its name; the newest if none is said.

        Raises:
            NotFound
        """
        backups = self.backups()
        found = next((backup for backup in backups if name in ("", backup.name)), None)
        if found is None:
            raise NotFound(f"there is no backup {name or 'at all'} in {self.root}")
        return found

    def _read(self, name: str) -> Backup | None:
        try:
            return read(name, (self.root / name / ABOUT).read_text())
        except (OSError, ValueError):
            return None

    def blobs_for(self, mark: str) -> Path:
        """Where blobs are for a set of recipients."""
        return self.root / "blobs" / mark

    def digests(self, backup: Backup) -> Iterator[tuple[str, int]]:
        """Digest and size of each of its blobs.

        Raises:
            PreconditionFailed: they cannot be read.
        """
        with (self.root / backup.name / BLOBS).open("rb") as file:
            yield from digests_in(file)

    def prune(self, rule: Iterable[str]) -> list[str]:
        """Remove what the rule does not keep, and the blobs that only those had; the names of those that went. To be asked while
        `locked`. Where one cannot be read no blob is removed: it may need any."""
        backups = self.backups()
        gone = rules.gone({backup.name: backup.made_at for backup in backups}, rule)
        for name in gone:
            aside = self.root / f".{name}.part"
            (self.root / name).rename(aside)  # in one step: never half a backup
            shutil.rmtree(aside)
        if gone and len(list(self.root.glob("*Z"))) == len(backups) - len(gone):
            left = needed((backup for backup in backups if backup.name not in gone), self.digests)
            for file in (self.root / "blobs").glob("*/*/*/*"):
                if file.relative_to(self.root / "blobs") not in left:
                    file.unlink()
        return gone


def needed(backups: Iterable[Backup], digests: Callable[[Backup], Iterable[tuple[str, int]]]) -> set[Path]:
    """Where the blobs of these backups are, below the directory of all blobs."""
    stored = (backup for backup in backups if backup.blobs is not None)
    return {place(Path(backup.whom_for), digest) for backup in stored for digest, _ in digests(backup)}


def about(backup: Backup) -> str:
    """The text of `about.json`."""
    return json.dumps(asdict(backup) | {"made_at": rfc3339(backup.made_at)}, indent=2) + "\n"


def read(name: str, text: str) -> Backup | None:
    """What such a text says; None if it is none."""
    try:
        values: dict[str, Any] = json.loads(text)
        found = Backup(**values | {"name": name, "made_at": from_rfc3339(values["made_at"])})
        return found if _MARK.fullmatch(found.whom_for) else None
    except (ValueError, TypeError, KeyError):
        return None


def digests_in(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    """What `blobs.gz` holds.

    Raises:
        PreconditionFailed: it holds something else.
    """
    try:
        with gzip.open(file, "rt", encoding="ascii") as lines:
            for line in lines:
                digest, size = line.split()
                if not _DIGEST.fullmatch(digest):
                    raise ValueError(digest)
                yield digest, int(size)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error):
        raise PreconditionFailed(f"a backup is damaged: its {BLOBS} is no list of blobs") from None


def is_name(name: str) -> bool:
    """Whether a backup may be called so."""
    return _NAME.fullmatch(name) is not None


def name_of(moment: datetime) -> str:
    """What one that is made then is called."""
    return moment.astimezone(UTC).strftime(_FORMAT)
