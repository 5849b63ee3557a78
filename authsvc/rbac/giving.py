"""Who gives must hold: nobody gives others, machines or himself by another credential more than he may do himself. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from authsvc.core.clock import rfc3339
from authsvc.core.errors import Denied
from authsvc.rbac.permissions import Action as A
from authsvc.rbac.permissions import Permission, permissions
from authsvc.rbac.permissions import Resource as R
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef

_NAMED = 5
# What roles hold and robots cannot be given, or the other way round (Harbor's catalogues), amounts to nothing beyond these.
AMOUNTS_TO: dict[Permission, frozenset[Permission]] = {
    Permission(R.CONFIGURATION, A.READ): permissions(R.PROJECT, A.READ),
    Permission(R.CONFIGURATION, A.UPDATE): permissions(R.PROJECT, A.UPDATE),
    Permission(R.EXPORT_CVE, A.LIST): permissions(R.EXPORT_CVE, A.READ),
    Permission(R.METADATA, A.LIST): permissions(R.METADATA, A.READ),
    Permission(R.REPOSITORY, A.CREATE): permissions(R.REPOSITORY, A.PUSH),
    Permission(R.ROBOT, A.UPDATE): permissions(R.ROBOT, A.CREATE, A.DELETE),
    Permission(R.TAG_RETENTION, A.OPERATE): permissions(R.TAG_RETENTION, A.UPDATE),
}


def holds(who: Principal, permission: Permission, place: ProjectRef | None) -> bool:
    """True if `who` may do that in the whole place, or all that it amounts to. `place`: a project, None: outside of projects."""
    if _holds(who, permission, place):
        return True
    amounts = AMOUNTS_TO.get(permission)
    return amounts is not None and all(_holds(who, one, place) for one in amounts)


def _holds(who: Principal, permission: Permission, place: ProjectRef | None) -> bool:
    bound = who.bound_to(place, permission) if place is not None else ()
    return can(who, permission, place) and (not bound or "*" in bound)


def require_holding(giver: Principal, wanted: Iterable[Permission], place: ProjectRef | None) -> None:
    """
    Raises:
        Denied: `giver` does not hold all of that there himself.
    """
    lacking = sorted(str(permission) for permission in wanted if not holds(giver, permission, place))
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise Denied(
            f"nobody gives more than he may do himself with the credential he shows: {', '.join(lacking[:_NAMED])}{more}"
        )


def require_cover(giver: Principal, expires_at: float | None) -> None:
    """A credential without networks, good until `expires_at` (epoch seconds; None: without end), is made by `giver`, or given to
    him.

    Raises:
        Denied: his own is bound to networks, or ends before.
    """
    authority = giver.authority
    if authority.networks:
        raise Denied("what you show may be used from some networks only, and what is made with it could be used from anywhere")
    if not authority.covers(expires_at):
        end = rfc3339(datetime.fromtimestamp(authority.expires_at or 0.0, UTC))
        raise Denied(f"what you show is good until {end}, and what is made with it can live no longer")
