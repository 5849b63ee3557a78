"""The audit log: of a project, and of everything."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import select

from authsvc.audit import service
from authsvc.audit.models import AuditLog
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.projects.access import load
from authsvc.projects.frame import frame
from authsvc.projects.models import Project
from authsvc.rbac.guard import require_sysadmin
from authsvc.rbac.permissions import Action, Resource
from authsvc.ui import export, listing
from authsvc.ui.shell import Pages, fields, page

blueprint = Pages("audit", __name__)
COLUMNS = {"time": AuditLog.op_time, "user": AuditLog.username}
# What the form offers; others are noted as well.
OPERATIONS = ("create", "update", "delete", "pull", "login", "logout")
KINDS = (
    *("artifact", "configuration", "job", "label", "member", "project", "registry", "repository", "retention-policy"),
    *("robot", "schedule", "user", "usergroup", "webhook-policy"),
)
_RESULTS = {"": None, "done": True, "refused": False}
_LONGEST = 255
_NEWEST_FIRST = (AuditLog.op_time.desc(), AuditLog.id.desc())


@blueprint.get("/projects/<name>/logs")
def project_log(name: str) -> Response:
    who, project = load(name, Action.LIST, Resource.LOG, is_name=True)
    statement = _narrowed(service.of_project(project.ref))
    if export.is_asked():
        return export.exported(f"{project.name}-log", statement, listing.asked(COLUMNS), COLUMNS, _NEWEST_FIRST, _row)
    return page("project_log.html", **frame(who, project), **_found(statement))


@blueprint.get("/admin/log")
def system_log() -> Response:
    statement = _narrowed(service.visible_to(require_sysadmin()))
    if export.is_asked():
        return export.exported("log", statement, listing.asked(COLUMNS), COLUMNS, _NEWEST_FIRST, _row)
    found = _found(statement)
    ids = {entry.project_id for entry in found["listing"].rows}
    named = select(Project.id, Project.name).where(Project.id.in_(ids))
    projects = {id_: name for id_, name in db.session.execute(named)}  # noqa: C416 - rows are no pairs
    return page("system_log.html", projects=projects, **found)


def _filters() -> dict[str, str]:
    """
    Raises:
        BadRequest
    """
    filters = fields(dict.fromkeys(("user", "operation", "kind", "result"), _LONGEST))
    if filters["result"] not in _RESULTS:
        raise BadRequest("result is done or refused")
    return filters


def _narrowed(statement: Any) -> Any:
    """Down to the entries that the URL asks for.

    Raises:
        BadRequest
    """
    filters, search = _filters(), listing.asked(COLUMNS).search
    wanted = {AuditLog.username: "user", AuditLog.operation: "operation", AuditLog.resource_type: "kind"}
    statement = statement.where(*(column == filters[name] for column, name in wanted.items() if filters[name]))
    if (succeeded := _RESULTS[filters["result"]]) is not None:
        statement = statement.where(AuditLog.succeeded.is_(succeeded))
    return statement.where(AuditLog.resource.icontains(search, autoescape=True)) if search else statement


def _found(statement: Any) -> dict[str, Any]:
    """A part of these entries, and what the form says."""
    shown = listing.part(statement, listing.asked(COLUMNS), COLUMNS, _NEWEST_FIRST)
    return {"listing": shown, "filters": _filters(), "operations": OPERATIONS, "kinds": KINDS}


def _row(row: Any) -> dict[str, Any]:
    """An entry in a file."""
    (entry,) = row
    names = ("op_time", "username", "operation", "resource_type", "resource", "succeeded", "description", "address", "user_agent")
    return {name: getattr(entry, name) for name in (*names, "request_id")}
