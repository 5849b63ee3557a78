"""Back from the subject of a registry token to the account that it was given to."""

from __future__ import annotations

from authsvc.authn.principals import Account
from authsvc.authn.snapshot import Snapshot
from authsvc.robots import service as robots
from authsvc.users import service as users


def account_of(subject: str, snapshot: Snapshot) -> Account | None:
    """The account of that name as it is now; None if there is none any more."""
    if (user := users.find(subject)) is not None:
        return snapshot.account("user", user.id)
    robot = robots.find(subject)
    return snapshot.account("robot", robot.id) if robot else None
