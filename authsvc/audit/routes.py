"""The audit log: of the system, and of one project."""

from typing import Any

from authsvc.audit import service
from authsvc.audit.models import AuditLog
from authsvc.audit.rules import EVENT_TYPES
from authsvc.audit.schemas import AuditLogExtSchema, AuditLogSchema, EventTypeSchema
from authsvc.core.api import Blueprint, ListArguments, page_of
from authsvc.core.query import filtered, ordered
from authsvc.projects.access import load
from authsvc.rbac.guard import require_login
from authsvc.rbac.permissions import Action, Resource

blueprint = Blueprint("auditlog", __name__, description="Who did what, from where")

COLUMNS = {
    "id": AuditLog.id,
    "username": AuditLog.username,
    "operation": AuditLog.operation,
    "resource": AuditLog.resource,
    "resource_type": AuditLog.resource_type,
    "op_time": AuditLog.op_time,
    "project_id": AuditLog.project_id,
    "operation_result": AuditLog.succeeded,
    "address": AuditLog.address,
}
NEWEST_FIRST = (AuditLog.op_time.desc(), AuditLog.id.desc())


def _page(statement: Any, arguments: dict[str, Any]) -> Any:
    narrowed = filtered(statement, arguments["q"], COLUMNS)
    return page_of(ordered(narrowed, arguments["sort"], COLUMNS, NEWEST_FIRST), arguments)


@blueprint.get("/audit-logs")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, AuditLogSchema(many=True))
def list_audit_logs(arguments: dict[str, Any]) -> Any:
    return _page(service.visible_to(require_login()), arguments)


@blueprint.get("/auditlog-exts")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, AuditLogExtSchema(many=True))
def list_audit_log_exts(arguments: dict[str, Any]) -> Any:
    return _page(service.visible_to(require_login()), arguments)


@blueprint.get("/auditlog-exts/events")
@blueprint.response(200, EventTypeSchema(many=True))
def list_event_types() -> list[dict[str, str]]:
    """Harbor's event types; ours has more, which can be switched off and purged by the same pattern."""
    require_login()
    return [{"event_type": name} for name in EVENT_TYPES]


@blueprint.get("/projects/<project_name>/logs")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, AuditLogSchema(many=True))
def list_project_logs(arguments: dict[str, Any], project_name: str) -> Any:
    _, project = load(project_name, Action.LIST, Resource.LOG, is_name=True)
    return _page(service.of_project(project.ref), arguments)


@blueprint.get("/projects/<project_name>/auditlog-exts")
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, AuditLogExtSchema(many=True))
def list_project_log_exts(arguments: dict[str, Any], project_name: str) -> Any:
    _, project = load(project_name, Action.LIST, Resource.LOG, is_name=True)
    return _page(service.of_project(project.ref), arguments)
