"""Making a backup, and bringing an installation back from one."""

from __future__ import annotations

import gzip
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

import authsvc
from authsvc.backup import archive, blobs, dump
from authsvc.backup.depot import Depot
from authsvc.backup.files import KeepGoing, Log
from authsvc.backup.keys import Identities, Recipients
from authsvc.backup.shelf import ABOUT, ARCHIVE, BLOBS, Backup, Shelf, about, name_of
from authsvc.core import schema
from authsvc.core.crypto import read_given, write_private
from authsvc.core.db import utcnow
from authsvc.core.engines import family
from authsvc.core.errors import Conflict, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings, environment
from authsvc.distribution import driver

_BEAT = 5.0  # seconds


def shelf(settings: Settings) -> Shelf:
    """Where backups are.

    Raises:
        PreconditionFailed: no place is set.
    """
    if settings.backup_directory is None:
        raise PreconditionFailed("no place for backups is set: TIDEGATE_BACKUP_DIRECTORY names a directory, best on another disk")
    return Shelf(settings.backup_directory)


def depot(settings: Settings) -> Depot | None:
    """Where the second copy of each goes, if anywhere.

    Raises:
        PreconditionFailed: the file that describes it cannot be used.
    """
    return Depot(driver.read(settings.backup_bucket_file)) if settings.backup_bucket_file is not None else None


def copy(settings: Settings, backup: Backup, keep_going: KeepGoing, log: Log) -> None:
    """Put a backup that is there into the bucket as well, if one is set, and remove what is kept no longer there.

    Raises:
        Unavailable, Conflict: as `Depot.take`.
    """
    place, there = shelf(settings), depot(settings)
    if there is None:
        return
    with place.locked():
        there.take(place, backup, _every(_BEAT, keep_going), log)
        for name in there.prune(settings.backup_keep):
            log(f"{name} is kept no longer in {there.name}")


def create(settings: Settings, keep_going: KeepGoing, log: Log) -> Backup:
    """Make one while everything goes on: first the index, then the blobs, of which there may be more by then. `keep_going` is
    asked every few seconds, and may end it by whatever it raises; nothing is left then.

    Raises:
        PreconditionFailed: no directory or no recipient is set, or the directory or the database cannot be used.
        Conflict: another one is being made.
    """
    place, recipients = shelf(settings), Recipients.of(settings.backup_recipients)
    beat = _every(_BEAT, keep_going)
    with place.locked(), scratch(settings) as directory:
        moment = utcnow().replace(microsecond=0)
        with place.new(moment) as part:
            dump.take(settings, directory / archive.DATABASE, beat)
            log("the database is copied")
            _gather(settings, directory)
            stored = _mirror(settings, directory, part, place.blobs_for(recipients.mark), recipients, beat, log)
            size, digest = archive.pack(directory, part / ARCHIVE, recipients, beat)
            backup = Backup(
                name=name_of(moment),
                made_at=moment,
                version=authsvc.__version__,
                schema=schema.newest(),
                database=family(make_url(settings.database_url).get_dialect()()),
                external_url=settings.external_url,
                counts=dump.counts(directory / archive.DATABASE),
                size=size,
                digest=digest,
                recipients=list(recipients.names),
                whom_for=recipients.mark,
                blobs=stored[0] if stored is not None else None,
                blob_bytes=stored[1] if stored is not None else 0,
            )
            write_private(part / ABOUT, about(backup))
    log(f"{backup.name}: {backup.size} bytes, {'no' if backup.blobs is None else backup.blobs} blobs")
    return backup


def _mirror(
    settings: Settings, directory: Path, part: Path, target: Path, recipients: Recipients, beat: KeepGoing, log: Log
) -> tuple[int, int] | None:
    """How many blobs, and bytes, there are; None if the registry keeps them elsewhere, or they are not wanted."""
    storage = Layout(settings).storage
    if not settings.backup_blobs or storage is None or not blobs.is_there(storage):
        return None
    blobs.write_links(storage, directory / archive.LINKS, beat)
    count = total = 0
    with gzip.open(part / BLOBS, "wt") as lines:
        for digest, size in blobs.mirror(storage, target, recipients, beat, log):
            lines.write(f"{digest} {size}\n")
            count, total = count + 1, total + size
    return count, total


def _every(seconds: float, keep_going: KeepGoing) -> KeepGoing:
    here, last = copy_context(), time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last > seconds:
            here.run(keep_going)  # whatever application's database is being looked at
            last = time.monotonic()

    return beat


@contextmanager
def scratch(settings: Settings) -> Iterator[Path]:
    """A directory for what is not encrypted yet or any more: on our own disk, or where TMPDIR says; gone afterwards."""
    below = os.environ.get("TMPDIR") or Layout(settings).root / "run"
    Path(below).mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backup-", dir=below, ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def _gather(settings: Settings, directory: Path) -> None:
    """What lies in files and is not made anew."""
    layout = Layout(settings)
    write_private(directory / archive.MASTER_KEY, read_given(layout.master_key) + "\n")
    named = environment(settings)
    named.pop("TIDEGATE_STATE_DIR", None)
    write_private(directory / archive.SETTINGS, "".join(f"{name}={value}\n" for name, value in named.items()))
    for setting, name in archive.GIVEN.items():
        file: Path | None = getattr(settings, setting)
        if file is not None:
            write_private(directory / name, file.read_bytes())


@dataclass(frozen=True, slots=True)
class Restored:
    """`lost`: digests of blobs that could not be brought back; `has_blobs`: whether any were; `files`: where is what was set."""

    backup: Backup
    has_blobs: bool
    lost: list[str]
    files: Path


def restore(
    settings: Settings, place: Shelf, backup: Backup, identities: Identities, *, replace_master_key: bool = False
) -> Restored:
    """Make the settings' installation from a backup: database, master key, and blobs where there are none. What was set, and the
    files that settings named, are put below `restored`, to be looked at.

    Raises:
        Conflict: there is an installation already.
        PreconditionFailed: the backup is damaged, for others, or of a newer release; the master key is another one.
    """
    layout = Layout(settings)
    if backup.schema > schema.newest():
        raise PreconditionFailed(f"the backup was made by a newer Tidegate, {backup.version}: restore it with that release")
    if layout.keys.exists() or layout.sealing_key.exists():
        raise Conflict(f"there is an installation in {layout.root} already: stop it, move the directory away, and restore anew")
    dump.must_be_free(settings)
    with scratch(settings) as directory:
        identities = identities.for_mark(backup.whom_for)
        archive.unpack(place.root / backup.name / ARCHIVE, backup.digest, directory, identities)
        _place_master_key(layout, (directory / archive.MASTER_KEY).read_text(), replace=replace_master_key)
        storage = layout.storage if backup.blobs is not None else None
        has_blobs = storage is not None and not blobs.is_there(storage)
        lost = _restore_blobs(storage, place, backup, directory / archive.LINKS, identities) if storage and has_blobs else []
        dump.put(settings, directory / archive.DATABASE)  # last: who was interrupted before begins anew
        files = layout.root / "restored"
        for name in (archive.SETTINGS, *archive.GIVEN.values()):
            if (directory / name).exists():
                write_private(files / name, (directory / name).read_bytes())
    return Restored(backup, has_blobs, lost, files)


def _place_master_key(layout: Layout, key: str, *, replace: bool) -> None:
    if replace or not layout.master_key.exists():
        write_private(layout.master_key, key)
    elif not secrets.compare_digest(read_given(layout.master_key), key.strip()):
        raise PreconditionFailed(
            f"{layout.master_key} holds another master key than the backup: if nothing needs it, say --replace-master-key"
        )


def _restore_blobs(storage: Path, place: Shelf, backup: Backup, links: Path, identities: Identities) -> list[str]:
    before = os.umask(0o027)  # nginx sends blobs from the disk: its group may read them, as what the registry writes
    try:
        source = place.blobs_for(backup.whom_for)
        lost = blobs.restore(place.digests(backup), source, storage, identities)
        blobs.read_links(links, storage)
    finally:
        os.umask(before)
    return lost


def damaged(place: Shelf, backup: Backup, identities: Identities) -> list[str]:
    """Read all blobs of a backup; those that are missing or damaged."""
    if backup.blobs is None:
        return []
    source = place.blobs_for(backup.whom_for)
    return blobs.restore(place.digests(backup), source, None, identities.for_mark(backup.whom_for))
