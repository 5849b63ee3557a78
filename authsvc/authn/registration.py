"""Self registration: off unless configured; with approval, an administrator enables each account."""

from __future__ import annotations

from authsvc.configuration import service as configuration
from authsvc.core.errors import Forbidden
from authsvc.users import service as users

WAITING = "registered; waits for approval"


def register(*, username: str, password: str, email: str, realname: str = "", comment: str = "") -> bool:
    """A new account for whoever asks; True if it waits for an administrator to enable it. Never a system administrator.

    Raises:
        Forbidden: it is switched off.
        BadRequest, Conflict: name, e-mail or password.
    """
    if not configuration.value("self_registration"):
        raise Forbidden("self registration is switched off here; ask a system administrator for an account")
    waits = bool(configuration.value("self_registration_approval"))
    actor = "tidegate:registration"
    user = users.create(
        actor, username=username, password=password, email=email, realname=realname, comment=WAITING if waits else comment
    )
    if waits:
        users.set_disabled(actor, user, True)
    return waits
