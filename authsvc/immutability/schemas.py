"""Harbor's immutability rules. Selectors are the same in retention policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields, validate

from authsvc.core import selectors
from authsvc.core.api import MAX_ID, Schema
from authsvc.core.errors import BadRequest
from authsvc.core.patterns import MAX_LENGTH
from authsvc.immutability.models import ImmutableTagRule
from authsvc.immutability.rules import ACTION, TEMPLATE
from authsvc.immutability.service import Wanted, rule_of

_MAX_INT = 2**31 - 1


class SelectorSchema(Schema):
    kind = fields.String(load_default=selectors.KIND)
    decoration = fields.String(required=True)
    pattern = fields.String(required=True, validate=validate.Length(max=MAX_LENGTH))
    extras = fields.String(load_default="", validate=validate.Length(max=255))


class ScopeSelectorsSchema(Schema):
    repository = fields.List(fields.Nested(SelectorSchema), required=True)


class ImmutableRuleSchema(Schema):
    id = fields.Integer(load_default=0, validate=validate.Range(0, MAX_ID))
    priority = fields.Integer(load_default=0, validate=validate.Range(-_MAX_INT, _MAX_INT))
    disabled = fields.Boolean(load_default=False)
    action = fields.String(load_default=ACTION, validate=validate.Equal(ACTION))
    template = fields.String(load_default=TEMPLATE, validate=validate.Equal(TEMPLATE))
    tag_selectors = fields.List(fields.Nested(SelectorSchema), required=True)
    scope_selectors = fields.Nested(ScopeSelectorsSchema, required=True)


def wanted(body: dict[str, Any]) -> Wanted:
    """What a body asks for.

    Raises:
        BadRequest: a selector cannot be used.
    """
    return Wanted(
        repositories=selectors.parse(_only(body["scope_selectors"]["repository"], "repositories"), selectors.REPOSITORY),
        tags=selectors.parse(_only(body["tag_selectors"], "tags"), selectors.TAG),
        disabled=body["disabled"],
        priority=body["priority"],
    )


def _only(given: Sequence[Mapping[str, Any]], what: str) -> Mapping[str, Any]:
    """Harbor takes several selectors and looks at the first; who sends several means something else, and had better know."""
    if len(given) != 1:
        raise BadRequest(f"a rule needs exactly one selector of {what}, not {len(given)}")
    return given[0]


def described(row: ImmutableTagRule) -> dict[str, Any]:
    """A rule on the wire."""
    rule = rule_of(row)
    return {
        "id": row.id,
        "priority": row.priority,
        "disabled": row.disabled,
        "action": ACTION,
        "template": TEMPLATE,
        "tag_selectors": selectors.described(rule.tags, selectors.TAG),
        "scope_selectors": {"repository": selectors.described(rule.repositories, selectors.REPOSITORY)},
    }
