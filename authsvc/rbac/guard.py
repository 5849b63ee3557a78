"""The guard in front of a route: who asks is `g.principal`, set once a request by `authn`."""

from flask import g

from authsvc.core.errors import Forbidden, Unauthenticated
from authsvc.rbac.authority import Door
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef


def principal() -> Principal:
    """Who asks; `ANONYMOUS` if nobody is logged in."""
    who: Principal = g.principal
    return who


def require_login() -> Principal:
    """Somebody must be logged in.

    Raises:
        Unauthenticated: nobody is.
    """
    who = principal()
    if not who.is_authenticated:
        raise Unauthenticated("log in first: this needs a user name and a password or token")
    return who


def require_sysadmin(door: Door = Door.API) -> Principal:
    """A system administrator must be logged in, with a credential that opens that door.

    Raises:
        Unauthenticated, Forbidden: nobody is, or somebody else.
        Denied: by another credential.
    """
    who = require_login()
    if not who.is_sysadmin:
        raise Forbidden("only a system administrator may do this")
    who.authority.require(door)
    return who


def require_system(action: Action, resource: Resource) -> Principal:
    """The caller must hold a permission outside of projects: a system administrator, or a robot that was given it.

    Raises:
        Unauthenticated, Forbidden
    """
    who = require_login()
    permission = Permission(resource, action)
    if not can(who, permission):
        raise Forbidden(f"only a system administrator, or a robot with {permission}, may do this")
    return who


def require_search(resource: Resource) -> Principal:
    """Who picks members looks for them by name: people, by whatever is not limited to less, and who may list users or groups.

    Raises:
        Unauthenticated, Forbidden
    """
    who = require_login()
    if who.kind != "user" or who.limits is not None:
        return require_system(Action.LIST, resource)
    return who


def require_person(door: Door = Door.SELF_SERVICE) -> Principal:
    """A user must be logged in, for what is a user's own: no robot, and with a credential that opens that door. Whoever finds a
    token shall not be able to make better ones of it, or to change what he finds here.

    Raises:
        Unauthenticated, Forbidden
        Denied: by another credential.
    """
    who = require_login()
    if who.kind != "user":
        raise Forbidden("only users have this; a robot does not")
    who.authority.require(door)
    return who


def require_of(user_id: int, door: Door = Door.SELF_SERVICE) -> Principal:
    """The user of that id, as `require_person`; or a system administrator, whose credential opens who is let in besides.

    Raises:
        Unauthenticated, Forbidden
        Denied: by another credential.
    """
    who = require_person(door)
    if who.id != user_id:
        if not who.is_sysadmin:
            raise Forbidden("only the user or a system administrator may do this")
        who.authority.require(Door.IDENTITIES)
    return who


def require(action: Action, resource: Resource, project: ProjectRef | None, repository: str = "") -> Principal:
    """The caller must hold a permission in a project, or on a repository of it (its full name). A missing project (None) reads
    like one without rights, so that nobody learns which private projects exist; system administrators then see the 404 of
    whoever loads it.

    Raises:
        Unauthenticated, Forbidden
    """
    who = principal()
    permission = Permission(resource, action)
    if can(who, permission, project, repository):
        return who
    require_login()
    raise Forbidden(f"you have no permission {permission} here; a project administrator can give you a role that has it")
