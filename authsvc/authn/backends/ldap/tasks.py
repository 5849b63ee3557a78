"""Groups are read anew on a schedule, so that whoever leaves a group loses the role, and whoever leaves the company all."""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog
from sqlalchemy import select

from authsvc.authn.backends.ldap import backend, directory
from authsvc.authn.backends.ldap.answers import CutShort, DirectoryDown
from authsvc.authn.backends.ldap.backend import KIND, Named
from authsvc.authn.backends.ldap.directory import Directory
from authsvc.authn.onboarding import Proof, known, onboard
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import InvalidCredentials
from authsvc.jobs.context import JobContext
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity

GONE = 2  # times not found in a row until the account may do nothing: a directory can have a bad moment
_BATCH = 200
_EACH = 2.0  # seconds that one of them may take, in the mean

log = structlog.get_logger(component="ldap")


def reread(context: JobContext) -> dict[str, Any]:
    """Read everybody's entry and groups; a directory that does not answer changes nothing."""
    counts = {"read": 0, "gone": 0, "unanswered": 0}
    with reading():
        all_directories = backend.directories()
    for named in all_directories:
        with reading():
            people = [(row.user_id, row.subject) for row in db.session.execute(_from(named))]
        _reread_one(context, named, people, counts)
    return counts


def _reread_one(context: JobContext, named: Named, people: list[tuple[int, str]], counts: dict[str, int]) -> None:
    for start in range(0, len(people), _BATCH):
        context.keep_going()
        batch = dict(people[start : start + _BATCH])
        try:
            seconds = _EACH * len(batch) + named.settings.timeout
            found = directory.ask(named.settings, partial(_look, named, batch), seconds)
        except DirectoryDown as error:
            counts["unanswered"] += len(people) - start
            log.warning("groups_not_read", directory=named.name, reason=str(error))
            return
        for user_id, proof in found.items():
            counts["read" if proof else "gone"] += 1
            _apply(user_id, proof)


def _from(named: Named) -> Any:
    return (
        select(UserIdentity.user_id, UserIdentity.subject)
        .join(User, User.id == UserIdentity.user_id)
        .where(UserIdentity.kind == KIND, UserIdentity.source == named.name, User.deleted.is_(False))
        .order_by(UserIdentity.user_id)
    )


def _look(named: Named, batch: dict[int, str], here: Directory) -> dict[int, Proof | None]:
    """What the directory says of each whose groups it tells, None of whom it does not know or has disabled."""
    found: dict[int, Proof | None] = {}
    for user_id, subject in batch.items():
        person = here.by_subject(subject)
        if person is None or person.disabled:
            found[user_id] = None
            continue
        try:
            found[user_id] = backend.proof_of(named, person, here.groups_of(person))
        except CutShort as error:  # of this person: a part of the groups would be wrong, so they stay as they are
            log.warning("groups_not_read", directory=named.name, user_id=user_id, reason=str(error))
    return found


def _apply(user_id: int, proof: Proof | None) -> None:
    try:
        with transaction():
            if proof is None:
                users.note_absence(user_id, GONE)
            elif known(proof):  # and was not deleted meanwhile
                onboard(proof)
    except InvalidCredentials as error:
        log.warning("user_not_refreshed", user_id=user_id, reason=error.message)
