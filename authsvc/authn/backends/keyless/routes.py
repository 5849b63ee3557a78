"""Trust rules, for system administrators (beyond Harbor's API)."""

from typing import Any

from marshmallow import fields, validate

from authsvc.authn.backends.keyless import service
from authsvc.core.api import Blueprint, PageArguments, StrictSchema, Time, created, page_of
from authsvc.core.db import db
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_sysadmin

blueprint = Blueprint("trust-rules", __name__, url_prefix="/system/trust-rules", description="Keyless CI")


class TrustRuleSchema(StrictSchema):
    always = frozenset({"enabled"})

    id = fields.Integer(dump_only=True)
    name = fields.String(required=True, validate=validate.Length(1, 255))
    issuer = fields.String(required=True, validate=validate.Length(1, 512))
    audience = fields.String(required=True, validate=validate.Length(1, 255))
    claims = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 255)),
        values=fields.String(validate=validate.Length(1, 255)),
        required=True,
    )
    project = fields.String(required=True, validate=validate.Length(1, 255))
    repositories = fields.String(
        load_default="*", validate=validate.Length(1, 255), metadata={"description": "within the project, with * and ?"}
    )
    actions = fields.List(fields.String(), required=True)
    enabled = fields.Boolean(dump_only=True)
    creation_time = Time(dump_only=True)


@blueprint.get("")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, TrustRuleSchema(many=True))
def list_trust_rules(arguments: dict[str, Any]) -> Any:
    """Which jobs may come in without a secret."""
    require_sysadmin()
    rows, headers = page_of(service.all_rules(), arguments)
    return service.described(rows), headers


@blueprint.post("")
@blueprint.arguments(TrustRuleSchema)
@blueprint.response(201)
def create_trust_rule(body: dict[str, Any]) -> Any:
    """Trust the jobs of an issuer whose claims match."""
    rule = service.create(require_sysadmin(Door.IDENTITIES).name, **body)
    answer = created(rule.id)
    db.session.commit()
    return answer


@blueprint.delete("/<int:rule_id>")
@blueprint.response(200)
def delete_trust_rule(rule_id: int) -> None:
    """Trust them no more, at once."""
    service.remove(require_sysadmin(Door.IDENTITIES).name, rule_id)
    db.session.commit()
