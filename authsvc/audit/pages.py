"""The audit log of a project."""

from __future__ import annotations

from flask import Response
from sqlalchemy import or_

from authsvc.audit import service
from authsvc.audit.models import AuditLog
from authsvc.projects.access import load
from authsvc.projects.frame import frame
from authsvc.rbac.permissions import Action, Resource
from authsvc.ui import listing
from authsvc.ui.shell import Pages, page

blueprint = Pages("audit", __name__)
COLUMNS = {"time": AuditLog.op_time, "user": AuditLog.username}


@blueprint.get("/projects/<name>/logs")
def project_log(name: str) -> Response:
    who, project = load(name, Action.LIST, Resource.LOG, is_name=True)
    asked, statement = listing.asked(COLUMNS), service.of_project(project.ref)
    if asked.search:
        of_resource = AuditLog.resource.icontains(asked.search, autoescape=True)
        statement = statement.where(or_(AuditLog.username == asked.search, of_resource))
    shown = listing.part(statement, asked, COLUMNS, [AuditLog.op_time.desc(), AuditLog.id.desc()])
    return page("project_log.html", listing=shown, **frame(who, project))
