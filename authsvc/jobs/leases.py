"""Leases: one holder at a time, over all processes and machines; a dead holder's lease runs out by itself."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from authsvc.core.db import db, present
from authsvc.core.errors import Conflict
from authsvc.core.inserts import insert_ignore
from authsvc.jobs.models import Lease

# One name a process: two workers on a host are two owners, and a restarted one does not take itself for its predecessor.
POOL = secrets.token_hex(12)
OWNER = f"{socket.gethostname()[:64]}:{os.getpid()}:{POOL}"


def take(name: str, seconds: float, owner: str = OWNER) -> bool:
    """Take a lease, or renew one's own; False if somebody else holds it. Counts from when the transaction commits.

    One that has longer to run than anybody takes it for was taken when a clock was ahead, and is free.
    """
    now, length = present(), timedelta(seconds=seconds)
    until = now + length
    is_free = (Lease.owner == owner) | (Lease.until < now) | (Lease.until > until + length)
    result: Any = db.session.execute(
        update(Lease).where(Lease.name == name, is_free).values(owner=owner, until=until),
        execution_options={"synchronize_session": False},
    )
    return bool(result.rowcount) or insert_ignore(Lease, name=name, owner=owner, until=until)


def renew(name: str, seconds: float) -> None:
    """Renew in the transaction that the lease protects: if it was lost in between, nothing of it is committed.

    Raises:
        Conflict: somebody else holds it now.
    """
    if not take(name, seconds):
        raise Conflict(f"the lease {name!r} is held by another worker")


def give_back(name: str, owner: str = OWNER) -> None:
    """End one's own lease at once."""
    db.session.execute(
        update(Lease).where(Lease.name == name, Lease.owner == owner).values(until=present()),
        execution_options={"synchronize_session": False},
    )


def give_back_all(pool: str) -> None:
    """End all leases of a process, by the name that its owners' names hold."""
    of_it = (Lease.owner.contains(pool, autoescape=True), Lease.until > present())
    db.session.execute(update(Lease).where(*of_it).values(until=present()), execution_options={"synchronize_session": False})


def held(prefix: str, seconds: float) -> set[str]:
    """What follows the prefix in the names of the leases, taken for so many seconds, that somebody holds now."""
    now = present()
    is_held = Lease.until.between(now, now + 2 * timedelta(seconds=seconds))
    names = db.session.scalars(select(Lease.name).where(Lease.name.startswith(prefix, autoescape=True), is_held))
    return {name.removeprefix(prefix) for name in names}
