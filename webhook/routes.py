"""Where the registry posts: store, answer, and leave the work to the worker.

The registry retries whatever is not answered 2xx, for ever, and holds back everything behind it; it follows redirects and
loses the event. So whoever shows the secret gets 202 as soon as the event is on disk, whatever is in it; only when it
cannot be stored is the answer 503, and the registry comes again.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, current_app, request

from authsvc.core import crypto
from authsvc.core.db import db
from authsvc.inbox import service as inbox
from authsvc.observability import metrics
from webhook import envelope

blueprint = Blueprint("webhook", __name__)
log = structlog.get_logger(component="webhook")

_KEPT_OF_UNREADABLE = 64 * 1024


@blueprint.post("/webhook/registry")
def receive() -> Response:
    if not crypto.equal(request.headers.get("Authorization", ""), current_app.config["WEBHOOK_AUTHORIZATION"]):
        return Response("who are you?\n", 401, mimetype="text/plain")
    data = request.stream.read(envelope.MAX_BYTES + 1)
    try:
        if len(data) > envelope.MAX_BYTES:
            raise envelope.EnvelopeInvalid(f"longer than {envelope.MAX_BYTES} bytes")
        for event in envelope.split(data):
            _store(event.event_id, event.body)
    except envelope.EnvelopeInvalid as error:
        _quarantine(data, str(error))
    db.session.commit()
    return Response(status=202)


def _store(event_id: str, body: str) -> None:
    try:
        event = envelope.parse(body)
    except envelope.EnvelopeInvalid as error:
        log.warning("event_quarantined", event_id=event_id, reason=str(error))
        inbox.store(event_id, body, quarantined=str(error))
    else:
        if not event.is_our_own:
            inbox.store(event_id, body)
            metrics.EVENTS.inc()


def _quarantine(data: bytes, reason: str) -> None:
    log.warning("envelope_quarantined", bytes=len(data), reason=reason)
    kept = data[:_KEPT_OF_UNREADABLE].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    inbox.store(envelope.fingerprint(data), kept, quarantined=reason)


@blueprint.get("/webhook/ready")
def ready() -> Response:
    inbox.count_pending()
    return Response("ready\n", mimetype="text/plain")
