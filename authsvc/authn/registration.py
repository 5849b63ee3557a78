"""Self registration: off unless configured; with approval, an administrator enables each account.

Whoever registers learns whether a name or e-mail is free, since it could not be refused otherwise. So attempts are counted for
each address, in the database, and what can be refused without looking who is there is refused first, and not counted.
"""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import delete, select

from authsvc.authn import guesses
from authsvc.authn.models import RegistrationAttempt
from authsvc.configuration import service as configuration
from authsvc.core import origin
from authsvc.core.db import db, reading, transaction, utcnow
from authsvc.core.errors import Conflict, Forbidden, Limit, TooManyRequests
from authsvc.core.settings import Settings
from authsvc.users import service as users
from authsvc.users.passwords import choose

WAITING = "registered; waits for approval"
_WINDOW = timedelta(hours=1)


def register(*, username: str, password: str, email: str, realname: str = "", comment: str = "") -> bool:
    """A new account for whoever asks; True if it waits for an administrator to enable it. Never a system administrator.

    Raises:
        Forbidden: it is switched off.
        BadRequest: name, e-mail or password against the rules.
        TooManyRequests: too many attempts from where the request comes from.
        Conflict: name or e-mail is taken; nobody learns which.
    """
    with reading():
        if not configuration.value("self_registration"):
            raise Forbidden("self registration is switched off here; ask a system administrator for an account")
        waits = bool(configuration.value("self_registration_approval"))
        users.check_new(username, password, email)
    with transaction():
        _count(origin.source())
    chosen = choose(password, username)
    actor = "tidegate:registration"
    try:
        user = users.create(
            actor, username=username, password=chosen, email=email, realname=realname, comment=WAITING if waits else comment
        )
    except Conflict:
        raise Conflict("that user name or e-mail address is taken") from None
    if waits:
        users.set_disabled(actor, user, True)
    return waits


def _count(address: str) -> None:
    settings: Settings = current_app.config["TIDEGATE"]
    limit, now = settings.registrations_per_address, utcnow()
    guesses.one_at_a_time(("registration", address))
    at = RegistrationAttempt.at
    recent = select(at).where(RegistrationAttempt.address == address, at > now - _WINDOW).order_by(at.desc()).limit(limit)
    times = list(db.session.scalars(recent))
    if len(times) >= limit:
        wait = max(1, int((times[-1] + _WINDOW - now).total_seconds()) + 1)
        window = int(_WINDOW.total_seconds())
        raise TooManyRequests(
            f"too many registrations from your address; try again in {wait} seconds",
            limit=Limit("registrations", limit, window, wait),
        )
    db.session.add(RegistrationAttempt(address=address, at=now))


def purge() -> None:
    """Forget what does not count any more."""
    db.session.execute(delete(RegistrationAttempt).where(RegistrationAttempt.at < utcnow() - _WINDOW))
