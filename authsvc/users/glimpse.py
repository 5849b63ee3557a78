"""A look at who logs in, that costs the same whether there is such a user or not."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import bindparam, func, select

from authsvc.core.db import db
from authsvc.users import names
from authsvc.users.models import User, UserIdentity


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a login has to know of a user. `kind` and `source`: where he comes from; None for a local one. `by_name`: it is his
    name, and not his e-mail."""

    id: int
    name_key: str
    password_hash: str | None = field(repr=False)
    epoch: int
    kind: str | None
    source: str | None
    by_name: bool = True


_GLANCE = (
    select(User.id, User.name_key, User.password_hash, User.epoch, UserIdentity.kind, UserIdentity.source)
    .outerjoin(UserIdentity, UserIdentity.user_id == User.id)
    .where(User.deleted.is_(False))
)
_BY_NAME = _GLANCE.where(User.name_key == bindparam("key"))
_BY_EMAIL = _GLANCE.where(func.lower(User.email) == bindparam("key"))


def glance(login: str) -> Glimpse | None:
    """Who logs in with this name or e-mail, as `service.find` has it, by as many queries for one whom there is not: the time
    tells nobody which names there are."""
    login = login[:300]
    named = db.session.execute(_BY_NAME, {"key": names.key(login)}).first()
    reached = db.session.execute(_BY_EMAIL, {"key": login.lower()}).first() if "@" in login else None
    if named is not None:
        return Glimpse(*named)
    return Glimpse(*reached, by_name=False) if reached is not None else None
