"""The first two steps of most routes: load the project, require the permission."""

from __future__ import annotations

from flask import request

from authsvc.configuration import service as configuration
from authsvc.core.errors import BadRequest, DomainError, Forbidden, NotFound, Unauthenticated
from authsvc.projects import service
from authsvc.projects.models import Project
from authsvc.rbac.guard import require
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal
from authsvc.registries import service as registries
from authsvc.registries.models import Registry


def load(
    project_name_or_id: str, action: Action, resource: Resource = Resource.PROJECT, *, is_name: bool = False, repository: str = ""
) -> tuple[Principal, Project]:
    """The caller and the project, if the caller may do this there, or with that repository of it. Harbor's header
    `X-Is-Resource-Name: true`, or `is_name` where the path takes names only, says that digits are a name too.

    Raises:
        Unauthenticated, Forbidden, NotFound
    """
    is_name = is_name or request.headers.get("X-Is-Resource-Name", "").lower() == "true"
    project = service.find(project_name_or_id, is_name=is_name)
    wanted = f"{project.name}/{repository}" if project and repository else ""
    who = require(action, resource, project.ref if project else None, wanted)
    if project is None:
        raise NotFound(f"project {project_name_or_id} not found")
    return who, project


def readable_id(who: Principal, name: str) -> int:
    """The id of a project that `who` may know of.

    Raises:
        NotFound
    """
    found = service.find_ref(name, is_name=True)
    if found is None or not can(who, Permission(Resource.PROJECT, Action.READ), found):
        raise NotFound(f"project {name[:255]} not found")
    return found.id


def refusal_to_create(who: Principal) -> DomainError | None:
    """Why somebody may not make a project; None if he may."""
    if not who.is_authenticated:
        return Unauthenticated("log in first: this needs a user name and a password or token")
    permission = Permission(Resource.PROJECT, Action.CREATE)
    if who.kind != "user":
        held = can(who, permission)
        return None if held else Forbidden(f"only a system administrator, or a robot with {permission}, may do this")
    if who.limits is not None:
        return Forbidden("this access token is limited and cannot create projects")
    if not who.is_sysadmin and configuration.value("project_creation_restriction") == "adminonly":
        return Forbidden("Only system admin can create project")
    return None


def may_cache(who: Principal) -> bool:
    """Whether somebody may make projects that cache other registries, which are shown our credentials."""
    return can(who, Permission(Resource.PROJECT, Action.CREATE))


def upstream(who: Principal, registry_id: int | None) -> Registry | None:
    """The registry whose images a project is to cache that `who` makes; None: it has its own.

    Raises:
        Forbidden, BadRequest, NotFound: in Harbor's words.
    """
    if registry_id is None:
        return None
    if not may_cache(who):
        raise Forbidden("Only system admin can create proxy cache project")
    if registry_id <= 0:
        raise BadRequest(f"{registry_id} is invalid value of registry_id, it should be greater than 0")
    return registries.get(registry_id)
