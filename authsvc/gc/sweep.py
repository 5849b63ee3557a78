"""Deleting condemned blobs from the registry's storage, while pushes go on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from authsvc.artifacts import condemned
from authsvc.artifacts.condemned import Due
from authsvc.core.db import transaction
from authsvc.core.errors import Unavailable
from authsvc.core.failpoints import failpoint
from authsvc.distribution.storage import Storage
from authsvc.jobs import leases, service
from authsvc.jobs.context import JobContext

_BATCH = 500
_LEASE = "sweep"
_STEP = 60.0  # seconds that deleting some may take: a bucket's answer, with all that is tried again
# Whoever is so far after his claim deletes nothing any more: somebody else may have done it, and the blob have come back.
_AWAY = condemned.CLAIM - _STEP


class Busy(Unavailable):
    """Somebody else sweeps."""


@dataclass(slots=True)
class Swept:
    """What a sweep has deleted, and how many blobs it could not."""

    blobs: int = 0
    bytes: int = 0
    failed: int = 0


def sweep(context: JobContext, storage: Storage, before: datetime, workers: int) -> Swept:
    """Delete what was condemned before a moment and still is needed by nothing. What was deleted stands with the execution that
    condemned it (`purged_blobs`, `freed_space`), as soon as it is.

    Raises:
        Busy
    """
    after, swept = "", Swept()
    with _alone(), ThreadPoolExecutor(workers) as threads:
        while True:
            context.keep_going()
            begun = time.monotonic()
            with transaction():
                leases.renew(_LEASE, condemned.CLAIM)
                due, after = condemned.claim(before, after, _BATCH)
            if not after:
                return swept
            failpoint("claimed")
            with _given_back(due):
                left = _delete(storage, due, threads, workers, partial(_still, begun))
            failpoint("swept")
            gone = [one for one in due if one.digest not in left]
            with transaction():
                condemned.forget([one.digest for one in gone])
                condemned.give_back(left)
                _credit(gone)
            for one in gone:
                context.log(f"delete blob from storage: {one.digest}")
            swept.failed += len(left)
            swept.blobs += len(gone)
            swept.bytes += sum(one.size for one in gone)


@contextmanager
def _alone() -> Iterator[None]:
    with transaction():
        if not leases.take(_LEASE, condemned.CLAIM):
            raise Busy("another collection sweeps at this moment", retry_after=60)
    try:
        yield
    finally:
        with transaction():
            leases.give_back(_LEASE)


@contextmanager
def _given_back(due: Sequence[Due]) -> Iterator[None]:
    """Nobody waits for what we do not get done."""
    try:
        yield
    except BaseException:
        with transaction():
            condemned.give_back([one.digest for one in due])
        raise


def _still(begun: float) -> None:
    if time.monotonic() - begun > _AWAY:
        raise Unavailable("the storage is too slow, or this process was stopped", retry_after=60)


def _delete(
    storage: Storage, due: Sequence[Due], threads: ThreadPoolExecutor, workers: int, still: Callable[[], None]
) -> set[str]:
    """Those that are still there."""
    shares = [[one.digest for one in due[share::workers]] for share in range(min(workers, len(due)))]
    return {digest for left in threads.map(partial(storage.remove_blobs, still=still), shares) for digest in left}


def _credit(gone: Sequence[Due]) -> None:
    """Add it to what the executions say that condemned it."""
    sizes: dict[int, list[int]] = defaultdict(list)
    for one in gone:
        sizes[one.execution_id].append(one.size)
    for execution_id, freed in sorted(sizes.items()):
        service.add(execution_id, {"purged_blobs": len(freed), "freed_space": sum(freed)})
