"""Events of the registry that could not be processed, for system administrators (beyond Harbor's API)."""

from typing import Any

from authsvc.core.api import Blueprint, PageArguments, page_of
from authsvc.core.db import db
from authsvc.inbox import service
from authsvc.inbox.models import InboxEvent
from authsvc.inbox.schemas import QuarantinedEventSchema
from authsvc.rbac.guard import require_sysadmin

blueprint = Blueprint("quarantine", __name__, url_prefix="/system/quarantine", description="Events that could not be processed")


@blueprint.get("")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, QuarantinedEventSchema(many=True))
def list_quarantined(arguments: dict[str, Any]) -> Any:
    require_sysadmin()
    return page_of(service.quarantined().order_by(InboxEvent.id.desc()), arguments)


@blueprint.post("/<int:event_id>/retry")
@blueprint.response(200)
def retry_event(event_id: int) -> None:
    require_sysadmin()
    service.retry(event_id)
    db.session.commit()


@blueprint.delete("/<int:event_id>")
@blueprint.response(200)
def discard_event(event_id: int) -> None:
    require_sysadmin()
    service.discard(event_id)
    db.session.commit()
