"""An account under another name, or for who comes from elsewhere: ways out where a name is taken or an entry was made anew."""

from __future__ import annotations

from sqlalchemy import select

from authsvc.audit import service as audit
from authsvc.core.db import db, hold
from authsvc.core.errors import Conflict, Forbidden
from authsvc.users import names
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity
from authsvc.users.service import BUILT_IN_ADMIN


def rename(actor: str, user: User, name: str) -> None:
    """Give a user another name; roles, tokens and what he made stay his.

    Raises:
        BadRequest: against the rules for names.
        Conflict: taken.
    """
    hold(user)
    names.check_chosen(name, users.robot_prefix())
    if names.key(name) != user.name_key:
        users.require_free(name)
    before = user.username
    user.username, user.name_key = name, names.key(name)
    db.session.flush()
    audit.record(actor, "update", "user", name, description=f"renamed, was {before}"[:1000])


def link(actor: str, user: User, kind: str, source: str, subject: str) -> None:
    """From now on whoever is `subject` at a directory or provider is this user, who has no password here any more. What was
    logged in ends.

    Raises:
        Forbidden: the built-in administrator, who can always log in here.
        Conflict: that is another user already.
    """
    if user.id == BUILT_IN_ADMIN:
        raise Forbidden("the built-in administrator stays local, so that somebody can always log in")
    hold(user)
    this = (UserIdentity.kind == kind, UserIdentity.source == source, UserIdentity.subject == subject)
    if (other := db.session.scalar(select(UserIdentity).where(*this, UserIdentity.user_id != user.id))) is not None:
        raise Conflict(f"that is {users.get(other.user_id).username} already: delete that user first")
    identity = db.session.scalar(select(UserIdentity).where(UserIdentity.user_id == user.id))
    if identity is None:
        identity = UserIdentity(user_id=user.id)
        db.session.add(identity)
    identity.kind, identity.source, identity.subject = kind, source, subject
    identity.sysadmin, identity.absences, identity.gone = False, 0, False
    identity.stated_at = identity.lapses_at = None
    user.password_hash, user.password_temporary = None, False
    user.epoch += 1
    db.session.flush()
    audit.record(actor, "update", "user", user.username, description=f"linked to {kind}:{source} {subject}"[:1000])
