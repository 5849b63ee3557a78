"""People from a directory or provider come aboard: at their first login, or when somebody makes them a member."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from authsvc.authn.identity import Identity, NotAboard
from authsvc.authn.sources import Kind
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.errors import Conflict
from authsvc.core.repeat import repeated
from authsvc.core.settings import Settings
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName
from authsvc.rbac.authority import Authority, Credential
from authsvc.users import names
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity

_AT_ALL = timedelta.resolution


@dataclass(frozen=True, slots=True)
class Proof:
    """What a directory or provider says of somebody who proved to be there: `subject` never changes (an entry's id, `sub`),
    everything else may. `groups` None: not known this time, leave them, and what follows from them, as they are. `stated_at`:
    when it said so; None: it was asked just now. `credential`: by what; `expires_at` (seconds since 1970): when it is no proof
    any longer."""

    kind: Kind
    source: str
    subject: str
    username: str
    email: str = ""
    realname: str = ""
    groups: tuple[GroupName, ...] | None = field(default=())
    is_sysadmin: bool = False
    stated_at: datetime | None = None
    credential: Credential = Credential.NONE
    expires_at: float | None = None

    @property
    def origin(self) -> str:
        return f"{self.kind}:{self.source}"


def welcome(proof: Proof) -> Identity:
    """`onboard` in a transaction of its own; again if somebody else made the user or one of the groups at the same moment.

    Raises:
        NotAboard: as `onboard`.
        Unavailable: the database does not answer.
    """

    def aboard() -> Identity:
        with transaction():
            return onboard(proof)

    return repeated(aboard)


def onboard(proof: Proof) -> Identity:
    """The user behind a proof, made at the first time, his attributes and groups as the source has them now; a proof of before
    what we know already changes nothing. Of several first logins at once, one makes the user and the others find him. Writes
    only what has changed. Needs a transaction that may write.

    Raises:
        NotAboard: a user who comes from elsewhere has this name; nobody takes another's place.
    """
    identity = identity_of(proof) or _come_aboard(proof)
    user = users.get(identity.user_id)
    if not _is_overtaken(identity, proof):
        _take_over(identity, user, proof)
    authority = Authority(proof.credential, expires_at=proof.expires_at)
    return Identity(user.id, user.epoch, authority, until=proof.expires_at)


def _is_overtaken(identity: UserIdentity, proof: Proof) -> bool:
    return proof.stated_at is not None and identity.stated_at is not None and proof.stated_at < identity.stated_at


def _take_over(identity: UserIdentity, user: User, proof: Proof) -> None:
    identity.absences, identity.gone = 0, False
    if proof.groups is not None:
        identity.sysadmin = proof.is_sysadmin
        groups.replace(user.id, (replace(group, source=proof.source) for group in proof.groups))
    _refresh(user, proof)
    db.session.flush()
    _note_statement(identity, proof)


def _note_statement(identity: UserIdentity, proof: Proof) -> None:
    """When the source said it, and until when that counts at least."""
    settings: Settings = current_app.config["TIDEGATE"]
    long, stated_at = timedelta(days=settings.identity_days), proof.stated_at or utcnow()
    stated_at = max(stated_at, identity.stated_at or stated_at)
    # Every process knows the end, so it moves seldom; a new user's is no news to anybody.
    until = stated_at + long if long else None
    if until is None or identity.lapses_at is None or until - identity.lapses_at > long / 3:
        identity.lapses_at = until
    db.session.flush()
    # When it was said decides nothing elsewhere, so past the session's listeners. Nobody quotes a directory later: once a day.
    if identity.stated_at is None or stated_at - identity.stated_at >= (timedelta(days=1) if proof.kind == "ldap" else _AT_ALL):
        said = update(UserIdentity).where(UserIdentity.id == identity.id).values(stated_at=stated_at)
        db.session.connection().execute(said)


def known(proof: Proof) -> bool:
    """True if whoever that is has come aboard before."""
    return identity_of(proof) is not None


def origin_of(user_id: int) -> UserIdentity | None:
    """Where a user comes from; None for a local one."""
    identity: UserIdentity | None = db.session.scalar(select(UserIdentity).where(UserIdentity.user_id == user_id))
    return identity


def identity_of(proof: Proof) -> UserIdentity | None:
    """Whoever that is, if he has come aboard before."""
    statement = select(UserIdentity).where(
        UserIdentity.kind == proof.kind, UserIdentity.source == proof.source, UserIdentity.subject == proof.subject
    )
    found: UserIdentity | None = db.session.scalar(statement)
    return found


def _come_aboard(proof: Proof) -> UserIdentity:
    """A new user, unless another login of the same person made one since we looked: where readers see what others commit
    meanwhile (PostgreSQL, MariaDB), the name is taken then, by himself."""
    fitted = names.fitted(proof.username, users.robot_prefix())
    if not fitted:
        raise NotAboard(obstacle(proof))
    # Whoever is called otherwise there gets a name in any case; with the same name nobody takes another's place.
    for name in (fitted,) if fitted == proof.username else (fitted, names.apart(fitted, proof.subject)):
        try:
            with db.session.begin_nested():
                return _create(proof, name)
        except (Conflict, IntegrityError):
            if (identity := identity_of(proof)) is not None:
                return identity
    raise NotAboard(obstacle(proof) or f"{fitted} cannot be a user here at this moment; try again")


def obstacle(proof: Proof) -> str:
    """What keeps somebody who is not aboard from being a user here, and what an administrator can do; "" if nothing does. It says
    nothing of others but to who is called so: people of a provider may choose what they are called."""
    name = names.fitted(proof.username, users.robot_prefix())
    if not name:
        return f"{proof.origin} says no name for whoever that is, of which one could be made here"
    if name != proof.username:  # then there is always another one
        return ""
    holder = users.find_by_name(name)
    if holder is None:
        is_free = proof.kind != "oidc" or users.find(name) is None
        return "" if is_free else f"{name} is the e-mail address of another user here"
    held_by, called = origin_of(holder.id), shlex.quote(holder.username)
    ways = (
        f"if it is the same person: authsvc users link {called} {proof.origin} {shlex.quote(proof.subject)}; "
        f"if not: authsvc users rename {called} NEW"
    )
    if proof.kind == "oidc":
        return f"{name} is the name of another user here; {ways}"
    if held_by is not None and (held_by.kind, held_by.source) == (proof.kind, proof.source):
        return f"{name} came from {proof.origin} before as another entry ({held_by.subject}); {ways}"
    where = f"comes from {held_by.kind}:{held_by.source}" if held_by is not None else "is local"
    return f"{name} is the name of another user here, who {where}; {ways}"


def _create(proof: Proof, name: str) -> UserIdentity:
    # A provider's people may choose their names, so none of them is another's e-mail; a directory gives them.
    users.require_free(name, also_as_email=proof.kind == "oidc")
    user = users.create(
        f"tidegate:{proof.kind}",
        fits=True,
        username=name,
        password=None,
        email=_free_email(proof, None),
        realname=_shown(proof.realname),
        comment=f"from {proof.origin}",
    )
    identity = UserIdentity(user_id=user.id, kind=proof.kind, source=proof.source, subject=proof.subject)
    db.session.add(identity)
    db.session.flush()
    return identity


def _refresh(user: User, proof: Proof) -> None:
    email = _free_email(proof, user.id)
    if email is not None and user.email != email:
        user.email = email
    realname = _shown(proof.realname)
    if realname and user.realname != realname:
        user.realname = realname


def _shown(text: str) -> str:
    """A text from outside that people are shown: without what cannot be seen, and no longer than we keep."""
    return "".join(character for character in text if character.isprintable())[:255]


def _free_email(proof: Proof, user_id: int | None) -> str | None:
    """The e-mail, unless somebody else has it: a directory's address must not stop a login."""
    usable = users.is_email(proof.email) and users.email_is_free(proof.email, user_id)
    return proof.email if usable else None
