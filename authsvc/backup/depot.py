"""A second copy of backups, in a bucket: with the same names as in the directory, so that each is one when it is brought back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from authsvc.backup import blobs, rules
from authsvc.backup.files import KeepGoing, Log
from authsvc.backup.shelf import ABOUT, ARCHIVE, BLOBS, Backup, Shelf, digests_in, is_name, needed, read
from authsvc.core.errors import Conflict, NotFound
from authsvc.distribution.driver import Driver
from authsvc.distribution.objects import Objects

_BLOBS = "blobs"
_PIECE = 16 * 1024 * 1024  # bytes of one answer: however large a blob is, each comes in time


class Depot:
    """One node makes and removes at a time, as `Shelf.locked` sees to for those of one directory; another that removes meanwhile
    is noticed, and nothing is said to be there that is not."""

    def __init__(self, driver: Driver) -> None:
        self._objects = Objects(driver)
        self.name = self._objects.name

    def backups(self) -> list[Backup]:
        """The newest first.

        Raises:
            Unavailable
        """
        names = sorted((name for name in self._objects.below() if is_name(name)), reverse=True)
        return [found for name in names if (found := self._read(name)) is not None]

    def _read(self, name: str) -> Backup | None:
        with suppress(FileNotFoundError), self._objects.answering():
            return read(name, self._get(f"{name}/{ABOUT}").decode())
        return None

    def _get(self, path: str) -> bytes:
        return bytes(self._objects.store.get(path).bytes())

    def take(self, shelf: Shelf, backup: Backup, keep_going: KeepGoing, log: Log) -> None:
        """Copy a backup of a directory, and the blobs that are not there yet; what says that it is there comes last.

        Raises:
            Unavailable
            Conflict: somebody removed blobs meanwhile.
        """
        wanted = {digest: self._path(backup, digest) for digest, _ in shelf.digests(backup)} if backup.blobs is not None else {}
        there, copied = self._blobs(backup.whom_for), 0
        for digest, path in wanted.items():
            keep_going()
            if path not in there:
                self._put(blobs.place(shelf.blobs_for(backup.whom_for), digest), path)
                copied += 1
        if wanted and not set(wanted.values()) <= self._blobs(backup.whom_for):
            raise Conflict(f"blobs were removed from {self.name} meanwhile: another node looks after it; try again")
        for file in (ARCHIVE, BLOBS, ABOUT):
            if (shelf.root / backup.name / file).exists():
                keep_going()
                self._put(shelf.root / backup.name / file, f"{backup.name}/{file}")
        log(f"{backup.name} is in {self.name}, with {copied} new blobs")

    def _blobs(self, mark: str) -> set[str]:
        return set(self._objects.paths(f"{_BLOBS}/{mark}"))

    def _path(self, backup: Backup, digest: str) -> str:
        return blobs.place(Path(_BLOBS, backup.whom_for), digest).as_posix()

    def _put(self, file: Path, path: str) -> None:
        with self._objects.answering():
            self._objects.store.put(path, file)

    def prune(self, rule: Iterable[str]) -> list[str]:
        """Remove what the rule does not keep, and the blobs that only those had; the names of those that went. Where one cannot
        be read no blob is removed: it may need any.

        Raises:
            Unavailable
        """
        names = [name for name in self._objects.below() if is_name(name)]
        backups = self.backups()
        gone = rules.gone({backup.name: backup.made_at for backup in backups}, rule)
        for name in gone:
            self._objects.remove([f"{name}/{ABOUT}"])  # first: never half a backup
            self._objects.remove(list(self._objects.paths(name)))
        if gone and len(names) == len(backups):
            left = needed((backup for backup in backups if backup.name not in gone), self._digests)
            kept = {Path(_BLOBS, path).as_posix() for path in left}
            self._objects.remove([path for path in self._objects.paths(_BLOBS) if path not in kept])
        return gone

    def _digests(self, backup: Backup) -> Iterator[tuple[str, int]]:
        with self._objects.answering():
            listed = self._get(f"{backup.name}/{BLOBS}")
        return digests_in(BytesIO(listed))

    def bring(self, name: str, shelf: Shelf, log: Log) -> Backup:
        """Bring a backup back into a directory, with its blobs; the newest if no name is said.

        Raises:
            NotFound, Unavailable
            Conflict: there is one of that name already.
            PreconditionFailed: it is damaged.
        """
        found = next((one for one in self.backups() if name in ("", one.name)), None)
        if found is None:
            raise NotFound(f"there is no backup {name or 'at all'} in {self.name}")
        with shelf.locked(), shelf.new(found.made_at) as part:
            for file in (ARCHIVE, ABOUT, *([BLOBS] if found.blobs is not None else [])):
                self._bring(f"{found.name}/{file}", part / file)
            for digest, _ in self._digests(found) if found.blobs is not None else ():
                copy = blobs.place(shelf.blobs_for(found.whom_for), digest)
                if not copy.exists():
                    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    self._bring(self._path(found, digest), copy)
        log(f"{found.name} is in {shelf.root}")
        return found

    def _bring(self, path: str, target: Path) -> None:
        part = target.with_name(f".{target.name}")
        with self._objects.answering(), part.open("wb") as file:
            size = self._objects.store.head(path)["size"]
            for start in range(0, size, _PIECE):
                file.write(bytes(self._objects.store.get_range(path, start=start, end=min(start + _PIECE, size))))
        part.rename(target)
