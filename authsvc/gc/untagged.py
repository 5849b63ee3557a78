"""Artifacts that no tag names, deleted on demand: not what an index needs or what is attached to something."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import false, select

from authsvc.artifacts import listing, removal
from authsvc.artifacts.models import Artifact, Intent
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import DomainError, PreconditionFailed
from authsvc.core.names import INTERNAL_PREFIX
from authsvc.jobs import service
from authsvc.jobs.context import JobContext
from authsvc.repositories.models import Repository

ACTOR = f"{INTERNAL_PREFIX}gc"
_BATCH = 100


def delete(context: JobContext, before: datetime) -> tuple[int, int]:
    """Delete those that were pushed before a moment; how many went, and how many could not."""
    gone = failed = after = 0
    while found := _some(before, after):
        after = found[-1][0]
        for _, repository, digest in found:
            context.keep_going()
            try:
                removal.delete_artifact(ACTOR, context.registry, repository, digest, _approve)
            except PreconditionFailed as error:  # somebody needs it by now
                context.log(f"{repository}@{digest} stays: {error.message}")
            except DomainError as error:
                failed += 1
                context.log(f"failed to delete {repository}@{digest}: {error.message}")
            else:
                gone += 1
                with transaction():
                    service.add(context.execution_id, {"purged_manifests": 1})
                context.log(f"delete untagged artifact: {repository}@{digest}")
    return gone, failed


def count(before: datetime, keep_going: Callable[[], None]) -> int:
    """How many there are."""
    total = after = 0
    while found := _some(before, after):
        keep_going()
        total, after = total + len(found), found[-1][0]
    return total


def _some(before: datetime, after: int) -> list[tuple[int, str, str]]:
    """The next ones: id, repository and digest."""
    statement = select(Artifact.id, Repository.name, Artifact.digest).join(Repository, Repository.id == Artifact.repository_id)
    untagged = statement.where(listing.is_listed(), Artifact.tagged == false(), Artifact.push_time < before)
    with reading():
        return [(*row,) for row in db.session.execute(untagged.where(Artifact.id > after).order_by(Artifact.id).limit(_BATCH))]


def _approve(_intent: Intent, tags: tuple[str, ...]) -> None:
    if tags:
        raise PreconditionFailed(f"it is tagged {tags[0]} by now")
