"""Blobs that nothing needs, on their way out of the registry's storage.

A blob is condemned when nothing needs it, and swept once that was so for all of a grace time (room `gc`). Whoever asks for it
before that, in order to push, spares it. While it is being swept he waits, for less than a second; then it is gone, the registry
says so, and clients upload it. See docs/adr/0014-online-garbage-collection.md.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, select, update

from authsvc.artifacts import journal
from authsvc.artifacts.models import ArtifactBlob, Blob, Condemned
from authsvc.core import processes
from authsvc.core.db import db, must_be_free, present, reading, transaction
from authsvc.core.errors import Unavailable
from authsvc.core.inserts import insert_missing

WAIT = 8.0  # seconds for whoever sweeps it
CLAIM = 90.0  # seconds after which whoever sweeps, and has not got done, deletes nothing any more: he was stopped, or is dead
# Whether a digest is condemned; made once, for those who read past sessions.
FIND = select(Condemned.digest).where(Condemned.digest == bindparam("digest"))
_BULK = {"synchronize_session": False}


def needed() -> ColumnElement[bool]:
    """Of `Blob`: some artifact needs it."""
    return exists().where(ArtifactBlob.blob_id == Blob.id)


def condemn(sizes: Iterable[tuple[str, int]], execution_id: int) -> None:
    """Condemn blobs (digest, bytes), unless they are already; in a transaction of its own."""
    same = {"execution_id": execution_id, "sweeper": ""}
    rows = [{"digest": digest, "size": size, **same} for digest, size in sizes]
    if not rows:
        return
    with transaction():
        insert_missing(Condemned, rows)
    with transaction():  # whoever began to write before this moment has seen them, or looks for them later (`claim`)
        undated = update(Condemned).where(Condemned.condemned_at.is_(None))
        db.session.execute(undated.values(condemned_at=present()), execution_options=_BULK)


def spare(digests: Collection[str]) -> None:
    """Let blobs stay, since something needs them from now on; in the transaction that says so.

    Raises:
        Unavailable: one of them is being swept.
    """
    found = _find(digests)
    if any(holder.sweeper for holder in found.values()) or _let_stay(found) < len(found):
        raise Unavailable("a layer is being deleted at this moment; try again", retry_after=1)


def rescue(digests: Collection[str]) -> None:
    """Let blobs stay that somebody is about to need, or wait until they are gone; outside of transactions.

    Raises:
        Unavailable: whoever sweeps one does not get done.
    """
    must_be_free("waiting for a blob to be swept")
    deadline = time.monotonic() + WAIT
    while True:
        with reading():
            found = _find(digests)
            if not found:
                return
            before = present() - timedelta(seconds=CLAIM)
        # Whoever died while sweeping deletes nothing any more; whether a blob is still there, the registry says.
        if left := {digest: holder for digest, holder in found.items() if holder.is_gone(before)}:
            with transaction():
                _let_stay(left)
        elif time.monotonic() > deadline:
            raise Unavailable("a layer is being deleted; try again in a moment", retry_after=5)
        else:
            time.sleep(0.02)


def rescue_all(needed: Collection[str]) -> None:
    """The same of many digests, most of which nobody has condemned."""
    with reading():
        found = [digest for digest in db.session.scalars(select(Condemned.digest)) if digest in needed]
    for digest in found:
        rescue([digest])


def are_due(before: datetime) -> bool:
    """Whether any were condemned before a moment."""
    return db.session.scalar(select(Condemned.digest).where(Condemned.condemned_at <= before).limit(1)) is not None


def waiting() -> tuple[int, int]:
    """How many there are, and their bytes."""
    count, size = db.session.execute(
        select(func.count(), func.coalesce(func.sum(Condemned.size), 0)).select_from(Condemned)
    ).one()
    return count, int(size)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who sweeps a blob, "" if nobody does, and since when."""

    sweeper: str
    since: datetime | None

    def is_gone(self, before: datetime) -> bool:
        """Nobody deletes it, unless somebody else takes it over; `before`: who claimed it by then has had his time."""
        return self.since is None or self.since <= before or processes.is_gone(self.sweeper)


def _find(digests: Collection[str]) -> dict[str, _Holder]:
    """Those of these that are condemned."""
    statement = select(Condemned.digest, Condemned.sweeper, Condemned.claimed_at).where(Condemned.digest.in_(digests))
    return {digest: _Holder(sweeper, since) for digest, sweeper, since in db.session.execute(statement)}


def _let_stay(found: Mapping[str, _Holder]) -> int:
    """How many of them are condemned no longer: those that are still in the same hands."""
    stayed = 0
    for digest, holder in sorted(found.items()):
        held = (Condemned.sweeper == holder.sweeper, Condemned.claimed_at.is_not_distinct_from(holder.since))
        same = (Condemned.digest == digest, *held)
        result: Any = db.session.execute(delete(Condemned).where(*same), execution_options=_BULK)
        stayed += result.rowcount
    return stayed


@dataclass(frozen=True, slots=True)
class Due:
    """A blob to be swept: its bytes in the storage, and the collection that condemned it."""

    digest: str
    size: int
    execution_id: int


def claim(before: datetime, after: str, limit: int) -> tuple[list[Due], str]:
    """Make blobs ours to sweep: the next ones, in the order of their digests, that were condemned before a moment and that still
    nothing needs; what something needs is condemned no longer. Also the last digest that was looked at, "" if there is none.

    In the caller's transaction, which must be committed before anything is deleted. He is the only one who sweeps (a lease): what
    somebody else had claimed is left over. Nothing is claimed that was condemned since the oldest write began that is still under
    way: it has spared what it needs of what was condemned by then, and its manifest may be there already.
    """
    before = min(before, journal.oldest() or before)
    due = select(Condemned).where(Condemned.condemned_at <= before, Condemned.digest > after)
    rows = {row.digest: row for row in db.session.scalars(due.order_by(Condemned.digest).limit(limit).with_for_update())}
    last, now = max(rows, default=""), present()
    for digest in db.session.scalars(select(Blob.digest).where(Blob.digest.in_(list(rows)), needed())):
        db.session.delete(rows.pop(digest))
    for row in rows.values():
        row.sweeper, row.claimed_at = processes.own_name(), now
    return [Due(row.digest, row.size, row.execution_id) for row in rows.values()], last


def forget(digests: Collection[str]) -> None:
    """Blobs of ours are gone from the storage; in the caller's transaction."""
    db.session.execute(delete(Blob).where(Blob.digest.in_(digests), ~needed()), execution_options=_BULK)
    db.session.execute(delete(Condemned).where(*_ours(digests)), execution_options=_BULK)


def give_back(digests: Collection[str]) -> None:
    """Blobs of ours could not be deleted: they are swept another time."""
    db.session.execute(update(Condemned).where(*_ours(digests)).values(sweeper="", claimed_at=None), execution_options=_BULK)


def _ours(digests: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return Condemned.digest.in_(digests), Condemned.sweeper == processes.own_name()
