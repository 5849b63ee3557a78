"""Immutability rules of projects, by Harbor's paths."""

from __future__ import annotations

from typing import Any

from authsvc.core.api import Blueprint, ListArguments, created, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import filtered, ordered
from authsvc.immutability import service
from authsvc.immutability.models import ImmutableTagRule
from authsvc.immutability.schemas import ImmutableRuleSchema, described, wanted
from authsvc.projects.access import load
from authsvc.rbac.permissions import Action, Resource

blueprint = Blueprint("immutable", __name__, url_prefix="/projects", description="Immutable tags")

PATH = "/<project_name_or_id>/immutabletagrules"
COLUMNS = {
    "id": ImmutableTagRule.id,
    "disabled": ImmutableTagRule.disabled,
    "priority": ImmutableTagRule.priority,
    "creation_time": ImmutableTagRule.creation_time,
}


@blueprint.get(PATH)
@blueprint.arguments(ListArguments, location="query")
@blueprint.response(200, ImmutableRuleSchema(many=True))
def list_immutable_rules(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.IMMUTABLE_TAG)
    narrowed = filtered(service.of_project(project), arguments["q"], COLUMNS)
    rows, headers = page_of(ordered(narrowed, arguments["sort"], COLUMNS, [ImmutableTagRule.id]), arguments)
    return [described(row) for row in rows], headers


@blueprint.post(PATH)
@blueprint.arguments(ImmutableRuleSchema)
@blueprint.response(201)
def create_immutable_rule(body: dict[str, Any], project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.CREATE, Resource.IMMUTABLE_TAG)
    rule = service.create(who.name, project, wanted(body))
    answer = created(rule.id)
    db.session.commit()
    return answer


@blueprint.put(f"{PATH}/<int:immutable_rule_id>")
@blueprint.arguments(ImmutableRuleSchema)
@blueprint.response(200)
def update_immutable_rule(body: dict[str, Any], project_name_or_id: str, immutable_rule_id: int) -> None:
    who, project = load(project_name_or_id, Action.UPDATE, Resource.IMMUTABLE_TAG)
    rule = service.get(project, immutable_rule_id)
    if body["id"] != rule.id:
        raise BadRequest("the immutable_rule_id doesn't match the id in the payload body of ImmutableRule")
    service.update(who.name, project, rule, wanted(body))
    db.session.commit()


@blueprint.delete(f"{PATH}/<int:immutable_rule_id>")
@blueprint.response(200)
def delete_immutable_rule(project_name_or_id: str, immutable_rule_id: int) -> None:
    who, project = load(project_name_or_id, Action.DELETE, Resource.IMMUTABLE_TAG)
    service.remove(who.name, project, service.get(project, immutable_rule_id))
    db.session.commit()
