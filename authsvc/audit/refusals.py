"""Changes through the API that were refused to somebody who is logged in: who tried what."""

from __future__ import annotations

import re

from flask import Flask, Response, g, request

from authsvc.audit import service
from authsvc.core.api import PREFIX
from authsvc.core.db import db, transaction
from authsvc.rbac.principal import ANONYMOUS, Principal

_OPERATIONS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
_PLACEHOLDER = re.compile(r"<[^>]*>")


def init(app: Flask) -> None:
    """Note them after each request of the API."""
    app.after_request(_note)


def _note(response: Response) -> Response:
    who: Principal = g.get("principal", ANONYMOUS)
    operation = _OPERATIONS.get(request.method)
    if response.status_code == 403 and operation and who.is_authenticated and request.path.startswith(PREFIX):
        db.session.rollback()
        with transaction():
            service.record(
                who.name,
                operation,
                _resource_type(),
                request.path.removeprefix(PREFIX),
                succeeded=False,
                description=_reason(response),
            )
    return response


def _resource_type() -> str:
    """Harbor's word for what the path is about: the last part of it that is a name of ours, in the singular."""
    rule = request.url_rule.rule if request.url_rule else ""
    words = [word for word in _PLACEHOLDER.sub("", rule.removeprefix(PREFIX)).split("/") if word]
    last = words[-1] if words else "resource"
    return (last.removesuffix("ies") + "y" if last.endswith("ies") else last.removesuffix("s"))[:32]


def _reason(response: Response) -> str:
    body = response.get_json(silent=True)
    errors = body.get("errors") if isinstance(body, dict) else None
    return str(errors[0].get("message", "")) if errors else ""
