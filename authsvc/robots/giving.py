"""What it takes to make a robot, to change one, or to get a secret of it."""

from __future__ import annotations

from authsvc.core.errors import BadRequest
from authsvc.rbac.giving import require_cover, require_holding
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import SYSTEM, Principal, ProjectRef
from authsvc.robots.models import Robot
from authsvc.users import passwords
from authsvc.users.passwords import Chosen


def require_giving(giver: Principal, robot: Robot) -> None:
    """Whoever makes a robot, changes it, or gets a secret of it, gives what it holds.

    Raises:
        Denied: more than he may do himself, or for longer than the credential that he shows is good.
    """
    held: dict[int, list[Permission]] = {}
    for entry in robot.permissions:
        held.setdefault(entry.place, []).append(Permission(Resource(entry.resource), Action(entry.action)))
    for place, access in held.items():
        require_holding(giver, access, ProjectRef(place, "", public=False) if place != SYSTEM else None)
    require_cover(giver, robot.expires_at.timestamp() if robot.expires_at else None)


def choose(secret: str) -> Chosen | None:
    """A secret of somebody's choice, before there is a transaction; None for "": one is generated then.

    Raises:
        BadRequest: it is too weak.
    """
    if not secret:
        return None
    classes = (str.isupper, str.islower, str.isdigit)
    if not 8 <= len(secret) <= 128 or not all(any(check(character) for character in secret) for check in classes):
        raise BadRequest("the secret must have 8 to 128 characters, with an upper and a lower case letter and a digit")
    passwords.check_rules(secret)
    return passwords.hashed(secret)
