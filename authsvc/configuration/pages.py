"""The configuration, item by item: what each does, its default, and who changed it last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Response, request

from authsvc.audit import service as audit
from authsvc.authn import configuration as identity
from authsvc.configuration import service
from authsvc.configuration.items import ITEMS, written
from authsvc.core.errors import DomainError
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_sysadmin
from authsvc.ui.shell import Pages, attempted, go, page

blueprint = Pages("configuration", __name__)
# What can be set here and is obeyed, in the order of the page; identity sources have their own.
SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "access": ("self_registration", "self_registration_approval", "session_timeout", "token_expiration"),
        "projects": ("project_creation_restriction", "quota_per_project_enable", "storage_per_project"),
        "robots": ("robot_token_duration", "robot_name_prefix"),
        "registry": ("read_only", "foreign_layer_hosts", "pull_time_update_disable", "pull_count_update_disable"),
        "audit": (
            *("pull_audit_log_disable", "disabled_audit_log_event_types", "audit_log_forward_endpoint"),
            *("audit_log_forward_ca", "skip_audit_log_database"),
        ),
        "people": ("banner_message", "notification_enable"),
    }
)
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType({"project_creation_restriction": ("everyone", "adminonly")})
_BANNER = "banner_message"


@blueprint.get("/admin/configuration")
def show() -> Response:
    return _shown()


def _shown(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    names = [name for section in SECTIONS.values() for name in section]
    return page(
        "configuration.html",
        problem=problem,
        sections=SECTIONS,
        items=ITEMS,
        choices=CHOICES,
        values=_written(service.values()) | (request.form.to_dict() if problem else {}),
        changed=audit.last_changes(names),
    )


def _written(values: Mapping[str, Any]) -> dict[str, str]:
    """As the form has them: of the banner, its words."""
    words = json.loads(values[_BANNER] or "{}").get("message", "")
    return written(values) | {_BANNER: words if isinstance(words, str) else ""}


@blueprint.post("/admin/configuration")
def change() -> Response:
    """Change what is different from before, and nothing else: another administrator may be changing another item."""
    who = require_sysadmin()
    before = service.values()
    shown = _written(before)
    given = {name: value.replace("\r\n", "\n").strip() for name, value in request.form.items() if name in shown}
    body: dict[str, Any] = {name: value for name, value in given.items() if value != shown[name]}
    if _BANNER in body:
        body[_BANNER] = json.dumps(json.loads(before[_BANNER] or "{}") | {"message": body[_BANNER]}) if body[_BANNER] else ""
    if identity.says_who_is_let_in(body):
        who.authority.require(Door.IDENTITIES)
    problem = attempted(lambda: identity.configure(who.name, body))
    return _shown(problem) if problem else go("/admin/configuration")
