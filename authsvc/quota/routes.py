"""Storage quotas, by Harbor's paths."""

from __future__ import annotations

from typing import Any

from authsvc.core.api import Blueprint, page_of
from authsvc.core.db import db
from authsvc.core.query import ordered
from authsvc.projects.models import Project, StorageUsage
from authsvc.quota import service
from authsvc.quota.schemas import QuotaListArguments, QuotaSchema, QuotaUpdateSchema, described
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource

blueprint = Blueprint("quota", __name__, url_prefix="/quotas", description="Storage quotas")

COLUMNS = {
    "id": Project.id,
    "hard.storage": Project.storage_limit,
    "used.storage": StorageUsage.bytes,
    "creation_time": Project.creation_time,
    "update_time": Project.update_time,
}
NEWEST_FIRST = (StorageUsage.project_id.desc(),)  # each project has such a row, and its index leads here


@blueprint.get("")
@blueprint.arguments(QuotaListArguments, location="query")
@blueprint.response(200, QuotaSchema(many=True))
def list_quotas(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.QUOTA)
    statement = service.find(arguments["reference"], arguments["reference_id"])
    by_usage = ordered(statement.join(Project.usage), arguments["sort"], COLUMNS, NEWEST_FIRST)
    rows, headers = page_of(by_usage, arguments, counted=statement)
    return [described(project) for project in rows], headers


@blueprint.get("/<int:quota_id>")
@blueprint.response(200, QuotaSchema)
def get_quota(quota_id: int) -> Any:
    require_system(Action.READ, Resource.QUOTA)
    return described(service.get(quota_id))


@blueprint.put("/<int:quota_id>")
@blueprint.arguments(QuotaUpdateSchema)
@blueprint.response(200)
def update_quota(body: dict[str, Any], quota_id: int) -> None:
    who = require_system(Action.UPDATE, Resource.QUOTA)
    service.set_limit(who.name, service.get(quota_id), body["hard"]["storage"])
    db.session.commit()
