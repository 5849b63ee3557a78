"""Backups as a job."""

from __future__ import annotations

from typing import Any

from authsvc.backup import service
from authsvc.core.settings import Settings
from authsvc.jobs.context import JobContext

KIND = "BACKUP"


def is_here(settings: Settings) -> bool:
    """Whether this node makes backups."""
    return settings.backup_directory is not None and bool(settings.backup_recipients)


def seconds(settings: Settings) -> int:
    """Between two of them; 0: none by itself."""
    return settings.backup_hours * 3600 if is_here(settings) else 0


def back_up(context: JobContext) -> dict[str, Any]:
    """Make one, and remove what is kept no longer."""
    backup = service.create(context.settings, context.keep_going, context.log)
    place = service.shelf(context.settings)
    with place.locked():
        gone = place.prune(context.settings.backup_keep)
    for name in gone:
        context.log(f"{name} is kept no longer")
    service.copy(context.settings, backup, context.keep_going, context.log)
    return {"name": backup.name, "bytes": backup.size, "blobs": backup.blobs, "removed": len(gone)}
