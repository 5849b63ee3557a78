"""Directories and providers: what is stored of them. Their backends parse `settings`; nothing here knows LDAP or OIDC."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import structlog
from sqlalchemy import select

from authsvc.audit import service as audit
from authsvc.authn.models import IdentitySource
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound, PreconditionFailed
from authsvc.core.sealing import seal, unseal
from authsvc.groups import rules as groups
from authsvc.users.models import User, UserIdentity

T = TypeVar("T")
Kind = Literal["ldap", "oidc"]
DEFAULT = groups.DEFAULT
# The settings that are secrets: sealed in the database, never shown.
SECRETS = frozenset({"ldap_search_password", "oidc_client_secret"})
_ADDRESSES: Mapping[Kind, str] = {"ldap": "ldap_url", "oidc": "oidc_endpoint"}
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")

log = structlog.get_logger(component="login")


@dataclass(frozen=True, slots=True)
class Source:
    """A directory or provider with its settings, secrets among them in the clear (and in no repr)."""

    id: int
    kind: Kind
    name: str
    position: int
    enabled: bool
    settings: Mapping[str, Any] = field(repr=False)

    @property
    def shown(self) -> dict[str, Any]:
        """The settings without the secrets."""
        return {key: value for key, value in self.settings.items() if key not in SECRETS}


def of_kind(kind: Kind, *, enabled_only: bool = True) -> list[Source]:
    """The sources of a kind, in the order in which they are asked."""
    statement = select(IdentitySource).where(IdentitySource.kind == kind).order_by(IdentitySource.position, IdentitySource.id)
    rows = db.session.scalars(statement)
    return [_source(row) for row in rows if row.enabled or not enabled_only]


def usable(kind: Kind, parse: Callable[[Mapping[str, Any]], T]) -> list[tuple[str, T]]:
    """(name, parsed settings) of the enabled ones, in their order. One that cannot be used, as an older release may have
    stored it, lets nobody in and keeps nobody else out."""
    found = []
    for source in of_kind(kind):
        try:
            found.append((source.name, parse(source.settings)))
        except BadRequest as error:
            log.error("source_unusable", kind=kind, source=source.name, reason=error.message)
    return found


def get(kind: Kind, name: str = DEFAULT) -> Source:
    """One source.

    Raises:
        NotFound
    """
    row = _find(kind, name)
    if row is None:
        raise NotFound(f"{kind} source {name} not found")
    return _source(row)


def save(
    actor: str, kind: Kind, name: str, settings: Mapping[str, Any], *, enabled: bool = True, position: int | None = None
) -> Source:
    """Make a source, or change one: the settings given replace those of the same name, the others stay.

    Raises:
        BadRequest: the name.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest("the name of a source has 1 to 64 lower case letters, digits, dots, dashes and underscores")
    row = _find(kind, name)
    if row is None:
        row = IdentitySource(kind=kind, name=name, settings={}, position=0, sealed="")
        db.session.add(row)
    merged = changed(kind, _settings(row), settings)
    row.settings = {key: value for key, value in merged.items() if key not in SECRETS}
    secret = {key: value for key, value in merged.items() if key in SECRETS and value}
    row.sealed = seal(json.dumps(secret)) if secret else ""
    row.enabled = enabled
    if position is not None:
        row.position = position
    db.session.flush()
    audit.record(actor, "update", "configuration", f"{kind} source {name}", description=", ".join(sorted(settings))[:1000])
    return _source(row)


def changed(kind: Kind, stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings with changes. A secret was given for one address: at another one it has to be given anew, or whoever
    may change addresses could have it sent to himself."""
    address = _ADDRESSES[kind]
    moved = changes.get(address, stored.get(address)) != stored.get(address)
    kept = {key: value for key, value in stored.items() if not (moved and key in SECRETS)}
    return kept | dict(changes)


def delete(actor: str, kind: Kind, name: str) -> None:
    """Delete a source that nobody comes from any more.

    Raises:
        NotFound
        PreconditionFailed: there are users from it; they could never log in again.
    """
    row = _find(kind, name)
    if row is None:
        raise NotFound(f"{kind} source {name} not found")
    from_there = select(UserIdentity.id).join(User, User.id == UserIdentity.user_id)
    from_there = from_there.where(UserIdentity.kind == kind, UserIdentity.source == name, User.deleted.is_(False))
    if db.session.scalar(from_there.limit(1)) is not None:
        raise PreconditionFailed(f"there are users from {kind} source {name}: delete them first, or disable the source")
    db.session.delete(row)
    audit.record(actor, "delete", "configuration", f"{kind} source {name}")


def _find(kind: Kind, name: str) -> IdentitySource | None:
    statement = select(IdentitySource).where(IdentitySource.kind == kind, IdentitySource.name == name)
    row: IdentitySource | None = db.session.scalar(statement)
    return row


def _settings(row: IdentitySource) -> dict[str, Any]:
    return row.settings | (json.loads(unseal(row.sealed)) if row.sealed else {})


def _source(row: IdentitySource) -> Source:
    kind: Kind = "ldap" if row.kind == "ldap" else "oidc"
    return Source(row.id, kind, row.name, row.position, row.enabled, _settings(row))
