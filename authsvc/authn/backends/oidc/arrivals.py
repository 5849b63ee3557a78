"""Who has come from a provider for the first time and chooses a user name now. The claims may be long (people are in hundreds of
groups), and what browsers keep in a cookie is short: so they wait here, and the browser keeps a number to come back with."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from authsvc.authn.backends.oidc.backend import FLOW_SECONDS
from authsvc.authn.backends.oidc.models import OidcArrival
from authsvc.core.db import db, utcnow
from authsvc.core.errors import InvalidCredentials
from authsvc.core.sealing import seal, unseal

_KEPT = timedelta(seconds=FLOW_SECONDS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """At which provider somebody was, what it said of him then, and the path to go on to."""

    provider: str
    subject: str
    claims: Mapping[str, Any]
    back_to: str
    stated_at: datetime


def keep(arrival: Arrival) -> str:
    """Keep it for as long as a login may take, in the place of one before; what the browser is to come back with. Needs a
    transaction that may write."""
    db.session.execute(delete(OidcArrival).where(OidcArrival.expires_at < utcnow()))
    end(arrival.provider, arrival.subject)
    ticket = secrets.token_urlsafe(32)
    db.session.add(
        OidcArrival(
            digest=_digest(ticket),
            source=arrival.provider,
            subject=arrival.subject,
            sealed=seal(json.dumps(arrival.claims)),
            back_to=arrival.back_to,
            expires_at=arrival.stated_at + _KEPT,
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
    return Arrival(found.source, found.subject, json.loads(unseal(found.sealed)), found.back_to, found.expires_at - _KEPT)


def end(provider: str, subject: str) -> None:
    """Whoever that is has logged in, and what was said of him before counts no more. Needs a transaction that may write."""
    db.session.execute(delete(OidcArrival).where(OidcArrival.source == provider, OidcArrival.subject == subject))


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "surrogateescape")).hexdigest()
