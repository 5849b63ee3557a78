"""The allowlist of the whole system, by Harbor's path; a project's is part of the project."""

from typing import Any

from authsvc.allowlist import service
from authsvc.allowlist.models import SYSTEM, CveAllowlist
from authsvc.allowlist.schemas import AllowlistSchema
from authsvc.audit import service as audit
from authsvc.core.api import Blueprint
from authsvc.core.db import db
from authsvc.rbac.guard import require_login, require_sysadmin

blueprint = Blueprint("SystemCVEAllowlist", __name__, url_prefix="/system/CVEAllowlist", description="Tolerated vulnerabilities")


@blueprint.get("")
@blueprint.response(200, AllowlistSchema)
def get_system_allowlist() -> CveAllowlist:
    require_login()
    return service.of([SYSTEM])[SYSTEM]


@blueprint.put("")
@blueprint.arguments(AllowlistSchema)
@blueprint.response(200)
def put_system_allowlist(body: dict[str, Any]) -> None:
    actor = require_sysadmin().name
    service.replace(SYSTEM, [item["cve_id"] for item in body["items"] or ()], body["expires_at"])
    audit.record(actor, "update", "configuration", "CVE allowlist")
    db.session.commit()
