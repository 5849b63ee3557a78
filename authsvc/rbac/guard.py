"""The guard in front of a route: who asks is `g.principal`, set once a request by `authn`."""

from flask import g

from authsvc.core.errors import Forbidden, Unauthenticated
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


def require_sysadmin() -> Principal:
    """A system administrator must be logged in.

    Raises:
        Unauthenticated, Forbidden: nobody is, or somebody else.
    """
    who = require_login()
    if not who.is_sysadmin:
        raise Forbidden("only a system administrator may do this")
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


def require_person() -> Principal:
    """A user must be logged in, with a credential that may do all he may: for what is a user's own, such as his password
    and his tokens. No robot, and no token that was limited to less.

    Raises:
        Unauthenticated, Forbidden
    """
    who = require_login()
    if who.kind != "user":
        raise Forbidden("only users have this; a robot does not")
    if who.limits is not None:
        raise Forbidden("this access token is limited and cannot do this; log in with your password")
    return who


def require_own_login() -> Principal:
    """A user must be logged in with a password or session of his own, for what makes or changes credentials: who finds a
    token shall not be able to make better ones of it.

    Raises:
        Unauthenticated, Forbidden
    """
    who = require_person()
    if who.by_token:
        raise Forbidden("a token cannot make or change credentials; log in with your password")
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
