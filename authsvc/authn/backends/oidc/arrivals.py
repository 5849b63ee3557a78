"""Who has come from a provider for the first time and chooses a user name now. The claims may be long (people are in hundreds of
groups), and what browsers keep in a cookie is short: so they wait here, and the browser keeps a number to come back with."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from authsvc.authn.backends.oidc.backend import FLOW_SECONDS
from authsvc.authn.backends.oidc.models import OidcArrival
from authsvc.core.db import db, utcnow
from authsvc.core.errors import InvalidCredentials
from authsvc.core.sealing import seal, unseal


@dataclass(frozen=True, slots=True)
class Arrival:
    """At which provider somebody was, what it says of him, and the path to go on to."""

    provider: str
    claims: Mapping[str, Any]
    back_to: str


def keep(arrival: Arrival) -> str:
    """Keep it for as long as a login may take; what the browser is to come back with. Needs a transaction that may write."""
    db.session.execute(delete(OidcArrival).where(OidcArrival.expires_at < utcnow()))
    ticket = secrets.token_urlsafe(32)
    db.session.add(
        OidcArrival(
            digest=_digest(ticket),
            source=arrival.provider,
            sealed=seal(json.dumps(arrival.claims)),
            back_to=arrival.back_to,
            expires_at=utcnow() + timedelta(seconds=FLOW_SECONDS),
        )
    )
    return ticket


def find(ticket: str) -> Arrival:
    """Who comes back with it.

    Raises:
        InvalidCredentials: nobody, or too late.
    """
    here = (OidcArrival.digest == _digest(ticket), OidcArrival.expires_at >= utcnow())
    found = db.session.scalar(select(OidcArrival).where(*here))
    if found is None:
        raise InvalidCredentials("this login took too long; start again")
    return Arrival(found.source, json.loads(unseal(found.sealed)), found.back_to)


def end(ticket: str) -> None:
    """Logged in. Needs a transaction that may write."""
    db.session.execute(delete(OidcArrival).where(OidcArrival.digest == _digest(ticket)))


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "surrogateescape")).hexdigest()
