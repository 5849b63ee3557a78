"""The first two steps of most routes: load the project, require the permission."""

from __future__ import annotations

from flask import request

from authsvc.core.errors import NotFound
from authsvc.projects import service
from authsvc.projects.models import Project
from authsvc.rbac.guard import require
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal


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
