"""The garbage collection of the registry's storage as a job. See docs/adr/0014-online-garbage-collection.md."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from authsvc.artifacts import condemned, marker
from authsvc.core.db import present, reading, transaction
from authsvc.core.errors import BadRequest, PreconditionFailed, Unavailable
from authsvc.distribution import stores
from authsvc.distribution.storage import Storage
from authsvc.gc import mark, roots, untagged
from authsvc.gc.sweep import Busy, Swept, sweep
from authsvc.jobs import service
from authsvc.jobs.context import JobContext

KIND, SWEEP = "GARBAGE_COLLECTION", "GARBAGE_SWEEP"
SWEEP_SECONDS = 600  # between two looks at what is due
_FLAGS = ("delete_untagged", "dry_run")
_MAX_WORKERS = 10


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Harbor's parameters of a collection.

    Raises:
        BadRequest
    """
    workers = parameters.get("workers", 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= _MAX_WORKERS:
        raise BadRequest(f"workers must be 1 to {_MAX_WORKERS}")
    flags = {name: parameters.get(name, False) for name in _FLAGS}
    if wrong := [name for name, value in flags.items() if not isinstance(value, bool)]:
        raise BadRequest(f"{wrong[0]} must be true or false")
    return flags | {"workers": workers}


def collect(context: JobContext) -> dict[str, Any]:
    """Condemn what nothing needs; delete what was condemned for as long as the grace time and still is not needed.

    Raises:
        PreconditionFailed: what is seen here is not the registry's storage.
        Unavailable: the storage or the registry does not answer, or something could not be deleted.
    """
    parameters = checked(context.payload)
    dry_run, workers = parameters["dry_run"], parameters["workers"]
    storage, before = _storage(context), _before(context)
    context.log(f"workers: {workers}")
    failed = 0
    manifests = untagged.count(before, context.keep_going) if dry_run and parameters["delete_untagged"] else 0
    if not dry_run and parameters["delete_untagged"]:
        manifests, failed = untagged.delete(context, before)
    blobs, size = _condemn(context, storage, _roots(context, storage), before, dry_run=dry_run)
    context.log(f"{blobs} blobs and {manifests} manifests eligible for deletion")
    context.log(f"{_megabytes(size)} MB of blobs that nothing needs")
    with transaction():
        service.say(context.execution_id, {"eligible_blobs": blobs, "eligible_bytes": size})
    swept = Swept() if dry_run else _sweep(context, storage, workers)
    if failed := failed + swept.failed:
        raise Unavailable(f"{failed} artifacts or blobs could not be deleted; the log names them")
    told = {"eligible_blobs": blobs, "eligible_bytes": size, "purged_manifests": manifests}
    return told | {"purged_blobs": swept.blobs, "freed_space": swept.bytes} if not dry_run else told


def sweep_due(context: JobContext) -> dict[str, Any]:
    """Delete what collections have condemned, once the grace time is over; nothing new is looked for.

    Raises:
        PreconditionFailed, Unavailable: as `collect`.
    """
    due = _before(context)
    with reading():
        if not condemned.are_due(due):
            return {}
    storage = _storage(context)
    _roots(context, storage)
    if failed := _sweep(context, storage, workers=1).failed:
        raise Unavailable(f"{failed} blobs could not be deleted; the registry's storage does not let us")
    return {}


def _before(context: JobContext) -> datetime:
    with reading():
        return present() - timedelta(seconds=context.settings.gc_grace_seconds)


def _storage(context: JobContext) -> Storage:
    """The registry's, which holds the marker that the registry serves."""
    storage = stores.storage()
    if not marker.is_there(context.registry) or storage.content(marker.known(), marker.LARGEST) is None:
        raise PreconditionFailed("what is seen here is not the storage that the registry has: its marker is not there")
    storage.clear_removed()
    return storage


def _roots(context: JobContext, storage: Storage) -> set[str]:
    """What is needed although the index does not say so is not condemned any more, whatever the index said when it was."""
    needed = roots.unindexed(storage, context.keep_going)
    condemned.rescue_all(needed)
    return needed


def _condemn(
    context: JobContext, storage: Storage, needed: Collection[str], before: datetime, *, dry_run: bool
) -> tuple[int, int]:
    """How many blobs nothing needs, and their bytes."""
    blobs = size = 0
    for batch in mark.unneeded(storage, needed, before, context.keep_going):
        blobs, size = blobs + len(batch), size + sum(one.size for one in batch)
        if not dry_run:
            condemned.condemn(((one.digest, one.size) for one in batch), context.execution_id)
    return blobs, size


def _sweep(context: JobContext, storage: Storage, workers: int) -> Swept:
    try:
        swept = sweep(context, storage, _before(context), workers)
    except Busy as error:
        context.log(error.message)
        return Swept()
    context.log(f"The GC job actual frees up {_megabytes(swept.bytes)} MB space.")
    with reading():
        waiting, _ = condemned.waiting()
    if waiting:
        grace = context.settings.gc_grace_seconds
        context.log(f"{waiting} blobs are deleted once nobody has asked for them for {grace} s")
    return swept


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.2f}"
