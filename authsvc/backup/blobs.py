"""The registry's storage, where it is a directory: each blob once for all backups, and the links by which repositories have them.

The layout of registry 2 and 3 (`distribution.storage`). Blobs are named by what is in them, so one that is there is never written
again; a link's name and content say all of it, in one line.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from authsvc.backup.files import Hashed, KeepGoing, Log, sync
from authsvc.backup.keys import Identities, Recipients
from authsvc.core.errors import PreconditionFailed
from authsvc.distribution.directory import Directory

_UPLOADS = "_uploads"  # under way; their clients begin anew


def is_there(storage: Path) -> bool:
    """Whether the registry stores anything in this directory."""
    return Directory(storage).repositories.is_dir()


def write_links(storage: Path, target: Path, keep_going: KeepGoing) -> None:
    """All links, one a line."""
    repositories = Directory(storage).repositories
    with target.open("x", encoding="utf-8", errors="surrogateescape") as lines:
        for directory, below, files in os.walk(repositories):
            keep_going()
            if _UPLOADS in below:
                below.remove(_UPLOADS)
            for name in files:
                path = Path(directory, name)
                try:
                    lines.write(f"{path.relative_to(repositories)}\t{path.read_text()}\n")
                except (FileNotFoundError, UnicodeDecodeError):  # deleted at this moment; or none that the registry wrote
                    continue


def read_links(source: Path, storage: Path) -> None:
    """Make all of them again."""
    repositories = Directory(storage).repositories
    part = repositories.with_name(".repositories").resolve()  # all or none: whoever finds some takes them for all
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    with source.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            name, _, content = line.rstrip("\n").partition("\t")
            path = (part / name).resolve()
            if path.is_relative_to(part):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
    part.rename(repositories)


def mirror(storage: Path, target: Path, recipients: Recipients, keep_going: KeepGoing, log: Log) -> Iterator[tuple[str, int]]:
    """Copy what is missing; digest and size of each blob that is there then, for good once all are told. One that is not what its
    name says is left out."""
    grown: set[Path] = set()
    for digest, file in _stored(storage):
        keep_going()
        copy = place(target, digest)
        try:
            size = file.stat().st_size
            if not copy.exists():
                if not _copy(file, digest, copy, recipients, keep_going):
                    log(f"{digest} is damaged in the registry's storage, and is left out")
                    continue
                grown |= {copy.parent, copy.parent.parent, target}
            yield digest, size
        except FileNotFoundError:  # deleted at this moment
            continue
    for directory in grown:
        keep_going()
        sync(directory)


def _stored(storage: Path) -> Iterator[tuple[str, Path]]:
    for directory in Directory(storage).blobs.glob("*/*/*"):
        yield f"{directory.parts[-3]}:{directory.name}", directory / "data"


def place(directory: Path, digest: str) -> Path:
    """Where the copy of a blob is."""
    algorithm, _, encoded = digest.partition(":")
    return directory / algorithm / encoded[:2] / encoded


def _copy(file: Path, digest: str, copy: Path, recipients: Recipients, keep_going: KeepGoing) -> bool:
    """Whether it was what its digest says."""
    algorithm, _, encoded = digest.partition(":")
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = copy.with_name(f".{encoded}")
    try:
        with file.open("rb") as opened, part.open("wb") as target:
            reader = Hashed(opened, algorithm, keep_going)
            recipients.encrypt(reader, target)
            target.flush()
            os.fsync(target.fileno())
        if reader.hexdigest != encoded:
            return False
        part.rename(copy)
        return True
    finally:
        part.unlink(missing_ok=True)


class _Writer:
    """A hash that is written to like a file, and passes on what it gets."""

    def __init__(self, algorithm: str, target: IO[bytes] | None) -> None:
        self._hash, self._target = hashlib.new(algorithm), target

    def write(self, piece: bytes) -> int:
        self._hash.update(piece)
        return self._target.write(piece) if self._target is not None else len(piece)

    def flush(self) -> None:
        if self._target is not None:
            self._target.flush()

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def restore(digests: Iterable[tuple[str, int]], source: Path, storage: Path | None, identities: Identities) -> list[str]:
    """Bring blobs back into a storage, or only read them if that is None; what is missing or damaged."""
    lost = []
    for digest, size in digests:
        target = Directory(storage).file(digest) if storage is not None else None
        if not _bring_back(place(source, digest), digest, size, target, identities):
            lost.append(digest)
    return lost


def _bring_back(copy: Path, digest: str, size: int, target: Path | None, identities: Identities) -> bool:
    algorithm, _, encoded = digest.partition(":")
    if not copy.exists():
        return False
    if target is None:
        return _read(copy, algorithm, None, identities) == encoded
    if target.exists() and target.stat().st_size == size:
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(".data")
    with part.open("wb") as file:
        is_right = _read(copy, algorithm, file, identities) == encoded
    if is_right:
        part.rename(target)
    else:
        shutil.rmtree(target.parent)
    return is_right


def _read(copy: Path, algorithm: str, target: IO[bytes] | None, identities: Identities) -> str:
    writer = _Writer(algorithm, target)
    with copy.open("rb") as source:
        try:
            identities.decrypt(source, writer)
        except PreconditionFailed:  # the identity opened the archive, so the copy is damaged
            return ""
    return writer.hexdigest
