"""The first two steps of most routes: load the project, require the permission."""

from __future__ import annotations

from flask import request

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
    found = service.find_ref(project_name_or_id, is_name=is_name)
    who = require(action, resource, found, f"{found.name}/{repository}" if found and repository else "")
    return who, service.get(project_name_or_id, is_name=is_name)
