"""People from a directory or provider come aboard: at their first login, or when somebody makes them a member."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select

from authsvc.authn.identity import Identity
from authsvc.authn.sources import Kind
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, Conflict, InvalidCredentials
from authsvc.groups import service as groups
from authsvc.groups.rules import GroupName
from authsvc.users import service as users
from authsvc.users.models import User, UserIdentity


@dataclass(frozen=True, slots=True)
class Proof:
    """What a directory or provider says of somebody who proved to be there: `subject` never changes (an entry's id, `sub`),
    everything else may. `groups` None: not known this time, leave them as they are."""

    kind: Kind
    source: str
    subject: str
    username: str
    email: str = ""
    realname: str = ""
    groups: tuple[GroupName, ...] | None = field(default=())
    is_sysadmin: bool = False

    @property
    def origin(self) -> str:
        return f"{self.kind}:{self.source}"


def onboard(proof: Proof) -> Identity:
    """The user behind a proof, made at the first time, his attributes and groups as the source has them now. Writes only
    what has changed. Needs a transaction that may write.

    Raises:
        InvalidCredentials: a user who comes from elsewhere has this name; nobody takes another's place.
    """
    identity = _identity(proof)
    user = users.get(identity.user_id) if identity else _come_aboard(proof)
    if identity is None:
        identity = _remember(user, proof)
    else:
        identity.sysadmin, identity.absences, identity.gone = proof.is_sysadmin, 0, False
    _refresh(user, proof)
    if proof.groups is not None:
        groups.replace(user.id, proof.groups)
    db.session.flush()
    return Identity(user.id, user.epoch)


def known(proof: Proof) -> bool:
    """True if whoever that is has come aboard before."""
    return _identity(proof) is not None


def origin_of(user_id: int) -> UserIdentity | None:
    """Where a user comes from; None for a local one."""
    identity: UserIdentity | None = db.session.scalar(select(UserIdentity).where(UserIdentity.user_id == user_id))
    return identity


def _identity(proof: Proof) -> UserIdentity | None:
    statement = select(UserIdentity).where(
        UserIdentity.kind == proof.kind, UserIdentity.source == proof.source, UserIdentity.subject == proof.subject
    )
    found: UserIdentity | None = db.session.scalar(statement)
    return found


def _come_aboard(proof: Proof) -> User:
    try:
        return users.create(
            f"tidegate:{proof.kind}",
            username=proof.username,
            password=None,
            email=_free_email(proof, None),
            realname=proof.realname[:255],
            comment=f"from {proof.origin}",
        )
    except BadRequest as error:
        raise InvalidCredentials(f"{proof.username} from {proof.origin} cannot be a user here: {error.message}") from None
    except Conflict:
        raise InvalidCredentials(
            f"{proof.username} is the name of another user here, who does not come from {proof.origin}; "
            "a system administrator can rename or delete that user"
        ) from None


def _remember(user: User, proof: Proof) -> UserIdentity:
    identity = UserIdentity(
        user_id=user.id, kind=proof.kind, source=proof.source, subject=proof.subject, sysadmin=proof.is_sysadmin
    )
    db.session.add(identity)
    return identity


def _refresh(user: User, proof: Proof) -> None:
    email = _free_email(proof, user.id)
    if email is not None and user.email != email:
        user.email = email
    if proof.realname and user.realname != proof.realname[:255]:
        user.realname = proof.realname[:255]


def _free_email(proof: Proof, user_id: int | None) -> str | None:
    """The e-mail, unless somebody else has it: a directory's address must not stop a login."""
    usable = users.is_email(proof.email) and users.email_is_free(proof.email, user_id)
    return proof.email if usable else None
