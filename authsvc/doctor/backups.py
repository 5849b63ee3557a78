"""Backups: whether they are made, and lie elsewhere than what they are of."""

from __future__ import annotations

from datetime import timedelta

from authsvc.backup import service
from authsvc.core.db import utcnow
from authsvc.core.errors import Unavailable
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good, skipped

_LATE = timedelta(hours=3)


def _age(patient: Patient) -> Finding:
    settings = patient.settings
    if settings.backup_directory is None:
        return skipped("Tidegate makes no backups here: TIDEGATE_BACKUP_DIRECTORY is not set")
    if not settings.backup_recipients:
        return bad("no backups are made: nobody is named whom they are encrypted for", "set TIDEGATE_BACKUP_RECIPIENTS")
    backups = service.shelf(settings).backups()
    if not backups:
        return bad(f"there is no backup in {settings.backup_directory}", "make one: authsvc backup create")
    newest, every = backups[0], timedelta(hours=settings.backup_hours)
    said = f"the newest backup is {newest.name}, of {len(backups)}"
    if every and utcnow() - newest.made_at > every + _LATE:
        return bad(said, "see the log of the last BACKUP job, and that a worker runs; authsvc backup create")
    return good(said)


def _place(patient: Patient) -> Finding:
    directory = patient.settings.backup_directory
    if directory is None or not directory.exists():
        return skipped("there is no place for backups yet")
    if directory.stat().st_mode & 0o077 and patient.settings.backup_recipients == ("plain",):
        return bad(f"others may read {directory}, where all secrets lie in clear", f"chmod 700 {directory}")
    if directory.stat().st_dev == patient.layout.root.stat().st_dev:
        return doubtful(
            f"{directory} is on the same disk as what is backed up",
            "put it on another one, or carry backups away: any copy will do",
        )
    return good(f"{directory} is on a disk of its own")


def _copy(patient: Patient) -> Finding:
    settings = patient.settings
    there = service.depot(settings)
    if there is None or settings.backup_directory is None:
        return skipped("no bucket is set for a second copy of backups")
    try:
        copies = {one.name for one in there.backups()}
    except Unavailable as error:
        return bad(error.message, "see that name, region and keys are right, and all may be done: list, read, write, delete")
    newest = next(iter(service.shelf(settings).backups()), None)
    if newest is not None and newest.name not in copies:
        return bad(f"{newest.name} is not in {there.name}", "see the log of the last BACKUP job")
    return good(f"{there.name} has {len(copies)} backups")


CHECKS = (
    Check("backup.age", _age),
    Check("backup.place", _place),
    Check("backup.copy", _copy),
)
