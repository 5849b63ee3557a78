"""Writing and reading the audit log. `record` is an ordinary call in each verb: greppable, in the same transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, false, select

from authsvc.audit.models import AuditLog
from authsvc.core import origin
from authsvc.core.db import db, utcnow
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef

ANONYMOUS_NAME = "anonymous"  # Harbor's name for a pull without login


def record(
    username: str,
    operation: str,
    resource_type: str,
    resource: str,
    *,
    project_id: int | None = None,
    succeeded: bool = True,
    description: str = "",
    at: datetime | None = None,
) -> None:
    """Note an operation (`create`, `delete`, `pull`, `push`, `update`, `login`) with the present origin."""
    come_from = origin.current()
    db.session.add(
        AuditLog(
            op_time=at or utcnow(),
            username=username or ANONYMOUS_NAME,
            operation=operation,
            resource_type=resource_type,
            resource=resource[:1024],
            project_id=project_id,
            succeeded=succeeded,
            description=description[:1024],
            address=come_from.address,
            user_agent=come_from.user_agent,
            request_id=come_from.request_id,
        )
    )


def of_project(project: ProjectRef) -> Select[Any]:
    """All entries of one project."""
    return select(AuditLog).where(AuditLog.project_id == project.id)


def visible_to(who: Principal) -> Select[Any]:
    """All entries for a system administrator; for others those of the projects whose log their role lets them read."""
    statement = select(AuditLog)
    if who.is_sysadmin:
        return statement
    reading = Permission(Resource.LOG, Action.LIST)
    projects = [id_ for id_ in who.roles if can(who, reading, ProjectRef(id_, "", public=False))]
    return statement.where(AuditLog.project_id.in_(projects) if projects else false())
