"""Kinds of secrets, and what a personal access token may be limited to. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from authsvc.core.errors import BadRequest
from authsvc.rbac.permissions import Action, Permission, Resource, permissions
from authsvc.rbac.principal import EVERYWHERE, Permissions, Principal
from authsvc.rbac.roles import ALL_PERMISSIONS

_MAX_NETWORKS = 50


class Kind(StrEnum):
    """What a secret is for."""

    REFRESH = "refresh"
    ACCESS = "access"
    SESSION = "session"
    CLI = "cli"
    ROBOT = "robot"


# By these a secret is known for what it is, by us and by those who look for leaked ones.
PREFIXES = {Kind.REFRESH: "tgr_", Kind.ACCESS: "tgp_", Kind.SESSION: "tgs_", Kind.CLI: "tgc_", Kind.ROBOT: "tgb_"}
_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}

_READ = frozenset(permission for permission in ALL_PERMISSIONS if permission.action in (Action.READ, Action.LIST))
_PULL = permissions(Resource.REPOSITORY, Action.PULL) | frozenset(
    permission
    for permission in _READ
    if permission.resource in (Resource.REPOSITORY, Resource.ARTIFACT, Resource.TAG, Resource.PROJECT)
)
_PUSH = (
    permissions(Resource.REPOSITORY, Action.PUSH, Action.CREATE)
    | permissions(Resource.ARTIFACT, Action.CREATE)  # by a copy
    | permissions(Resource.TAG, Action.CREATE)
)
_DELETE = (
    permissions(Resource.REPOSITORY, Action.DELETE)
    | permissions(Resource.ARTIFACT, Action.DELETE)
    | permissions(Resource.TAG, Action.DELETE)
    # Its rules delete what matches them.
    | permissions(Resource.TAG_RETENTION, Action.CREATE, Action.UPDATE, Action.DELETE, Action.OPERATE)
)
# What a personal access token can be limited to, by the words in which people say it. None of them does what is another's.
ACTIONS: Mapping[str, frozenset[Permission]] = {
    "pull": _PULL,
    "push": _PULL | _PUSH,
    "delete": _DELETE,
    "read": _READ,
    "write": ALL_PERMISSIONS - _PUSH - _DELETE - permissions(Resource.REPOSITORY, Action.PULL),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """`project_ids` None: in every project. System administration is in no scope."""

    project_ids: tuple[int, ...] | None
    actions: tuple[str, ...]

    @property
    def limits(self) -> Permissions:
        """The permissions that are left at most."""
        allowed = frozenset[Permission]().union(*(ACTIONS[action] for action in self.actions))
        return dict.fromkeys(self.project_ids if self.project_ids is not None else (EVERYWHERE,), allowed)


def kind_of(secret: str) -> Kind | None:
    """The kind of secret this looks like, or None: not one of ours."""
    return _KINDS.get(secret[:4])


def limited(who: Principal, limits: Permissions) -> Principal:
    """`who`, with no more than `limits`: an administrator's token is given just these."""
    if who.is_sysadmin:
        return replace(who, is_sysadmin=False, roles={}, permissions=limits, limits=limits)
    return replace(who, limits=limits)


def parse_actions(actions: Iterable[str]) -> tuple[str, ...]:
    """Known actions, each once.

    Raises:
        BadRequest: one is unknown, or there is none.
    """
    given = tuple(dict.fromkeys(actions))
    if not given or any(action not in ACTIONS for action in given):
        raise BadRequest(f"actions are one or more of {', '.join(ACTIONS)}")
    return given


def parse_networks(texts: Iterable[str]) -> list[str]:
    """Addresses and networks in canonical form, such as `10.1.0.0/16`.

    Raises:
        BadRequest: one is none, or there are too many.
    """
    networks = []
    for text in texts:
        try:
            networks.append(str(ipaddress.ip_network(text.strip())))
        except ValueError:
            raise BadRequest(f"{text[:64]!r} is no address and no network such as 10.1.0.0/16") from None
    if len(networks) > _MAX_NETWORKS:
        raise BadRequest(f"at most {_MAX_NETWORKS} networks can be named")
    return networks


def may_come_from(networks: Iterable[str], address: str) -> bool:
    """True if `address` lies in one of the networks, or there is none."""
    allowed = [ipaddress.ip_network(network) for network in networks]
    try:
        here = ipaddress.ip_address(address)
    except ValueError:
        return not allowed
    if isinstance(here, ipaddress.IPv6Address) and here.ipv4_mapped:
        here = here.ipv4_mapped
    return not allowed or any(here in network for network in allowed)
