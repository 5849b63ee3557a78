"""Whether somebody who came from a provider still has an account there, and which groups.

A provider tells us at a login, and later only if we ask: with the refresh token that it gave us then (scope `offline_access`;
RFC 6749 section 6, OpenID Connect Core 1.0 sections 11 and 12). It refuses that when the account has ended. So people are
asked about on a schedule, and before a CLI secret is taken when the provider's last word is older than
`TIDEGATE_OIDC_CHECK_SECONDS`. A provider that does not answer is believed its last word for `TIDEGATE_OIDC_GRACE_SECONDS` more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import Select, and_, delete, exists, select, update

from authsvc.authn.backends.oidc import backend
from authsvc.authn.backends.oidc.backend import FLOW_SECONDS, KIND, Ended, Provider
from authsvc.authn.backends.oidc.models import OidcGrant
from authsvc.authn.identity import Identity
from authsvc.authn.onboarding import Proof, known, onboard
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import Denied, Unavailable
from authsvc.core.own import own
from authsvc.core.sealing import seal, unseal
from authsvc.core.settings import Settings
from authsvc.rbac.authority import Credential
from authsvc.users import service as users
from authsvc.users.models import UserIdentity

# Seconds until somebody is asked about again after no answer; a refresh token may be good for one use, so two never ask at once.
_PAUSE = 30.0
_PLACES = 2  # so many requests of a process wait for providers; it has few threads

log = structlog.get_logger(component="oidc")


class Patience:
    """How many wait for providers; and until when (monotonic seconds) nobody waits for one that did not answer a moment ago."""

    def __init__(self) -> None:
        self.places = threading.BoundedSemaphore(_PLACES)
        self.silent_until: dict[str, float] = {}


class AskedAlready(Unavailable):
    """Somebody else asks at this moment, or did a moment ago, in whatever process."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody who can be asked about, and when the provider said last that all is well."""

    grant_id: int
    user_id: int
    source: str
    subject: str
    checked_at: datetime

    @property
    def age(self) -> float:
        """Seconds since then."""
        return (utcnow() - self.checked_at).total_seconds()


def keep(proof: Proof, refresh_token: str) -> None:
    """Note what came with a login; "" if it came without, and then nobody is asked. Needs a transaction that may write."""
    mine = (OidcGrant.source == proof.source, OidcGrant.subject == proof.subject)
    if not refresh_token:
        db.session.execute(delete(OidcGrant).where(*mine))
        return
    grant = db.session.scalar(select(OidcGrant).where(*mine))
    if grant is None:
        grant = OidcGrant(source=proof.source, subject=proof.subject)
        db.session.add(grant)
    grant.sealed, grant.checked_at, grant.asked_at = seal(refresh_token), utcnow(), None


def confirm(identity: Identity) -> Identity:
    """Somebody showed a CLI secret: the same identity, good until the provider has to be asked again. Whoever cannot be asked
    about, or is of no provider, as he is.

    Raises:
        Denied: the account at the provider has ended.
        Unavailable: the provider does not answer, and its last word is too old.
    """
    if identity.authority.credential is not Credential.CLI:
        return identity
    with reading():
        row = db.session.execute(_standings().where(UserIdentity.user_id == identity.account_id)).first()
    if row is None:
        return identity
    settings: Settings = current_app.config["TIDEGATE"]
    standing, now = Standing(*row), time.time()
    until = now + settings.oidc_check_seconds - standing.age
    if until <= now:
        try:
            with _a_place(standing.source):
                ask(standing)
            until = now + settings.oidc_check_seconds
        except Ended:
            raise Denied("your account at the provider has ended; if it has not, log in at the pages again") from None
        except Unavailable as error:
            if standing.age > settings.oidc_check_seconds + settings.oidc_grace_seconds:
                raise Unavailable(f"your account cannot be checked with its provider: {error.message}", retry_after=10) from None
            until = now + _PAUSE
    return replace(identity, until=min(until, identity.until or until))


@contextmanager
def _a_place(source: str) -> Iterator[None]:
    """To wait for a provider, unless it is known to be silent or others wait already.

    Raises:
        Unavailable
    """
    patience = own(Patience)
    if time.monotonic() < patience.silent_until.get(source, 0.0):
        raise Unavailable(f"the provider {source} did not answer a moment ago")
    if not patience.places.acquire(blocking=False):
        raise Unavailable(f"too many wait for the provider {source} already")
    try:
        yield
    except AskedAlready:
        raise
    except Unavailable:
        patience.silent_until[source] = time.monotonic() + _PAUSE / 3
        raise
    finally:
        patience.places.release()


def ask(standing: Standing) -> None:
    """Ask the provider, and make its answer the present state: groups and attributes, or that the account is gone. Called
    without a transaction.

    Raises:
        Ended: the account has, or our right to ask about it.
        Unavailable: no answer; nothing has changed.
    """
    refresh_token = _set_out(standing)
    with reading():
        at = next((one for one in backend.providers() if one.name == standing.source), None)
    # A token is for who gave it to us: not for another provider that was configured under this name since.
    if at is None or not standing.subject.startswith(f"{at.settings.issuer}#"):
        raise Unavailable(f"the provider {standing.source} is switched off, or another one now")
    try:
        proof, renewed = _answer(at, standing, refresh_token)
    except Ended:
        with transaction():
            users.note_absence(standing.user_id, 1)
            db.session.execute(delete(OidcGrant).where(OidcGrant.id == standing.grant_id))
        log.info("account_ended", provider=standing.source, user_id=standing.user_id)
        raise
    with transaction():
        changed = {"sealed": seal(renewed), "checked_at": utcnow(), "asked_at": None}
        db.session.execute(update(OidcGrant).where(OidcGrant.id == standing.grant_id).values(changed))
        if known(proof):  # and was not deleted meanwhile
            onboard(proof)


def _set_out(standing: Standing) -> str:
    """The refresh token, for one who asks alone.

    Raises:
        AskedAlready
    """
    now = utcnow()
    idle = OidcGrant.asked_at.is_(None) | (OidcGrant.asked_at < now - timedelta(seconds=_PAUSE))
    with transaction():
        mine = update(OidcGrant).where(OidcGrant.id == standing.grant_id, idle).values(asked_at=now)
        result: Any = db.session.execute(mine, execution_options={"synchronize_session": False})
        if result.rowcount != 1:
            raise AskedAlready("it is being asked already, or did not answer a moment ago")
        sealed = db.session.scalars(select(OidcGrant.sealed).where(OidcGrant.id == standing.grant_id)).one()
    return unseal(sealed)


def _answer(at: Provider, standing: Standing, refresh_token: str) -> tuple[Proof, str]:
    subject = standing.subject.removeprefix(f"{at.settings.issuer}#")
    login = backend.refresh(at, subject, refresh_token)
    return backend.proof(at, login.claims, whole=login.claims.keys() != {"sub"}), login.refresh_token


def _standings() -> Select[int, int, str, str, datetime]:
    theirs = and_(UserIdentity.kind == KIND, UserIdentity.source == OidcGrant.source, UserIdentity.subject == OidcGrant.subject)
    columns = (OidcGrant.id, UserIdentity.user_id, OidcGrant.source, OidcGrant.subject, OidcGrant.checked_at)
    return select(*columns).join(UserIdentity, theirs)


def due(older_than: datetime) -> list[Standing]:
    """Everybody whom the provider was asked about before that, the longest ago first. Needs a transaction."""
    rows = db.session.execute(_standings().where(OidcGrant.checked_at < older_than).order_by(OidcGrant.checked_at))
    return [Standing(*row) for row in rows]


def forget_nobodys() -> None:
    """Forget what came with logins that made no user, or of users who were deleted. Needs a transaction that may write."""
    somebodys = exists().where(
        UserIdentity.kind == KIND, UserIdentity.source == OidcGrant.source, UserIdentity.subject == OidcGrant.subject
    )
    old = OidcGrant.checked_at < utcnow() - timedelta(seconds=FLOW_SECONDS)
    db.session.execute(delete(OidcGrant).where(old, ~somebodys))
