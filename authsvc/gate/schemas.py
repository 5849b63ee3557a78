"""Decisions, as the API shows them: ours, Harbor has none."""

from __future__ import annotations

from marshmallow import fields

from authsvc.core.api import Schema, Time


class OutcomeSchema(Schema):
    always = frozenset({"allowed"})

    allowed = fields.Boolean()
    status = fields.Integer()
    code = fields.String()
    rule = fields.String()
    message = fields.String()
    help = fields.String()


class DecisionSchema(Schema):
    id = fields.String(attribute="row.id")
    time = Time(attribute="row.at")
    username = fields.String(attribute="row.username")
    method = fields.String(attribute="row.method")
    repository = fields.String(attribute="row.repository")
    reference = fields.String(attribute="row.reference")
    source = fields.String(attribute="row.source")
    digest = fields.String(attribute="row.facts.digest")
    address = fields.String(attribute="row.address")
    user_agent = fields.String(attribute="row.user_agent")
    request_id = fields.String(attribute="row.request_id")
    then = fields.Nested(OutcomeSchema)
    now = fields.Nested(OutcomeSchema)
