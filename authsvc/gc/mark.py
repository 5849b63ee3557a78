"""Which blobs of the registry's storage nothing needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime

from sqlalchemy import select

from authsvc.artifacts import condemned
from authsvc.artifacts.models import Blob
from authsvc.core.db import db, reading
from authsvc.distribution.storage import Storage, Stored

_BATCH = 1000


def unneeded(
    storage: Storage, roots: Collection[str], before: datetime, keep_going: Callable[[], None]
) -> Iterator[list[Stored]]:
    """Blobs that no artifact and no root needs and that have been there since before a moment, some at a time.

    Raises:
        Unavailable: the storage does not answer.
    """
    for batch in _batches(storage.all_blobs()):
        keep_going()
        old = [one for one in batch if one.modified < before and one.digest not in roots]
        with reading():
            named = select(Blob.digest).where(Blob.digest.in_([one.digest for one in old]), condemned.needed())
            needed = set(db.session.scalars(named))
        yield [one for one in old if one.digest not in needed]


def _batches(pieces: Iterable[list[Stored]]) -> Iterator[list[Stored]]:
    """The same in larger pieces."""
    waiting: list[Stored] = []
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _BATCH:
            yield waiting[:_BATCH]
            waiting = waiting[_BATCH:]
    if waiting:
        yield waiting
