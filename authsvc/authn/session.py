"""Sessions of the pages: a secret of ours in a cookie, listed and revocable like any other.

The cookie is of no use to other sites: it is `SameSite=Lax`, so that a login that comes back from a provider shows it, and a
request that changes something must say that it comes from our own origin. Answers to Basic credentials never set one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Request, Response, current_app
from sqlalchemy import update

from authsvc.audit import service as audit
from authsvc.authn.backends.secrets import identity_of
from authsvc.authn.identity import Identity
from authsvc.configuration import service as configuration
from authsvc.core import origin
from authsvc.core.api import PREFIX
from authsvc.core.db import db, utcnow
from authsvc.core.errors import Forbidden, PasswordChangeRequired
from authsvc.core.settings import Settings
from authsvc.rbac.principal import Principal
from authsvc.secrets import service as secrets
from authsvc.secrets.models import Secret
from authsvc.secrets.rules import Kind
from authsvc.ui import language
from authsvc.users import service as users

COOKIE = "sid"
NO_RENEWAL = "X-Harbor-No-Session-Renewal"
_WITHOUT_OWN_PASSWORD = ("/account/password", "/sign-in", "/sign-out", "/look")  # pages
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def start(who: Principal, response: Response) -> None:
    """Log a user in: a new session in a cookie. Commit afterwards."""
    settings: Settings = current_app.config["TIDEGATE"]
    lifetime = min(timedelta(minutes=configuration.value("session_timeout")), timedelta(hours=settings.session_hours))
    agent = origin.current().user_agent
    secrets.make_room(who.id, Kind.SESSION)
    text, _ = secrets.issue(Kind.SESSION, who.id, who.epoch, name=agent, expires_at=utcnow() + lifetime)
    audit.record(who.name, "login", "user", who.name, description="session")
    _set_cookie(response, text)
    if chosen := users.get(who.id).language:
        language.choose(response, chosen)


def find(request: Request) -> Identity | None:
    """The live session that a request shows, or None."""
    text = request.cookies.get(COOKIE, "")
    row = secrets.find(text) if text else None
    return identity_of(row) if row is not None and row.kind == Kind.SESSION else None


def end(request: Request, response: Response) -> None:
    """Log out. Commit afterwards."""
    row = secrets.find(request.cookies.get(COOKIE, ""))
    if row is not None and row.kind == Kind.SESSION:
        row.revoked_at = utcnow()
        name = users.get(row.owner_id).username
        audit.record(name, "logout", "user", name, description="session")
    response.delete_cookie(COOKIE, path="/")


def renewed_until(identity: Identity, request: Request) -> datetime | None:
    """A use of a session that has lost a tenth of its idle time (`session_timeout`) gives it all of it again, up to the end that
    every session has: until when, or None if there is nothing to renew. Nothing that a page asks by itself is a use, which it
    says by Harbor's `X-Harbor-No-Session-Renewal`. Needs a transaction."""
    row = db.session.get(Secret, identity.secret_id) if NO_RENEWAL not in request.headers else None
    if row is None or row.expires_at is None:
        return None
    settings: Settings = current_app.config["TIDEGATE"]
    idle = timedelta(minutes=configuration.value("session_timeout"))
    until: datetime = min(utcnow() + idle, row.creation_time + timedelta(hours=settings.session_hours))
    return until if until - row.expires_at > idle / 10 else None


def renew(identity: Identity, until: datetime) -> None:
    """Let a session last until then. Needs a transaction that may write."""
    # Past the session's listeners: that it lasts longer changes no decision elsewhere.
    db.session.connection().execute(update(Secret).where(Secret.id == identity.secret_id).values(expires_at=until))


def require_same_origin(request: Request) -> None:
    """A request that changes something and shows a cookie must come from our own pages.

    Raises:
        Forbidden: it does not say so; browsers do, by `Sec-Fetch-Site` or `Origin`.
    """
    settings: Settings = current_app.config["TIDEGATE"]
    if request.method in _SAFE:
        return
    if request.headers.get("Sec-Fetch-Site") == "same-origin" or request.headers.get("Origin") == settings.external_url:
        return
    raise Forbidden("a request with a session must come from this registry's own pages")


def require_no_other_site(request: Request) -> None:
    """For what a page of ours may also reach by a link.

    Raises:
        Forbidden: a browser says that another site asks.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Forbidden("this must come from this registry's own pages")
    if request.method not in _SAFE:
        require_same_origin(request)


def require_own_password(who: Principal, request: Request, *, by_header: bool = False) -> None:
    """Whoever logged in with a generated password changes it before anything else: at the pages, and, if somebody else made
    it, also where it comes with each request.

    Raises:
        PasswordChangeRequired: and this is something else.
    """
    own = f"{PREFIX}/users/{who.id}/password"
    is_due = who.held_back if by_header else who.temporary_password
    if is_due and request.path not in (own, f"{PREFIX}/users/current", *_WITHOUT_OWN_PASSWORD):
        raise PasswordChangeRequired(f"change the generated password first (PUT {own})")


def _set_cookie(response: Response, text: str) -> None:
    settings: Settings = current_app.config["TIDEGATE"]
    response.set_cookie(COOKIE, text, path="/", httponly=True, samesite="Lax", secure=settings.external_url.startswith("https:"))
