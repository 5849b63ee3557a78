"""Delivering to one target, as a job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from authsvc.core import connections, outgoing
from authsvc.core.db import db, reading, utcnow
from authsvc.core.errors import Unavailable
from authsvc.jobs.context import Failed, JobContext
from authsvc.jobs.models import Execution
from authsvc.notification import deliveries, messages, rules, service
from authsvc.notification.events import Event
from authsvc.notification.messages import Delivery
from authsvc.notification.models import WebhookPolicy
from authsvc.notification.rules import Target

ATTEMPTS = 10  # in a little more than four hours; meanwhile later events wait
_REFUSED = 3  # attempts, if it is there and will not have it
_AGAIN = frozenset({408, 409, 425, 429})  # statuses of refusals that may be none the next time


@dataclass(frozen=True, slots=True)
class _Told:
    policy_id: int
    target: Target
    event: Event


def deliver(context: JobContext) -> dict[str, Any]:
    """One event to one target, once.

    Raises:
        Unavailable: it was not taken; to be tried again.
        Failed: it is refused, and most likely would be again.
    """
    told = _told(context)
    if told is None:
        context.log("the policy, or this target of it, is gone")
        return {}
    moment = utcnow()
    delivery = Delivery(
        id=f"msg_{context.execution_id}_{context.payload['target']}", policy_id=told.policy_id, at=int(moment.timestamp())
    )
    message = messages.message(told.target, told.event, delivery)
    where = rules.shown(told.target.type, told.target.address)
    context.log(f"POST {where} as {delivery.id}, {len(message.body)} bytes")
    status, said = _post(message, context.settings.outgoing_allow, verify=not told.target.skip_cert_verify)
    milliseconds = round((utcnow() - moment).total_seconds() * 1000)
    context.log(f"answered {status} after {milliseconds} ms")
    if not messages.is_taken(told.target, status, said):
        why = f"{where} answered {status}" if not 200 <= status < 300 else f"{where} does not take it"
        raise Failed(why, _REFUSED) if 400 <= status < 500 and status not in _AGAIN else Unavailable(why)
    return {"status": status, "milliseconds": milliseconds}


def _told(context: JobContext) -> _Told | None:
    with reading():
        execution = db.session.get(Execution, context.execution_id)
        policy = db.session.get(WebhookPolicy, execution.vendor_id) if execution else None
        if execution is None or policy is None:
            return None
        targets, number = service.targets_of(policy), context.payload["target"]
        return _Told(policy.id, targets[number], deliveries.event_of(execution)) if number < len(targets) else None


def _post(message: messages.Message, networks: tuple[str, ...], *, verify: bool) -> tuple[int, dict[str, Any]]:
    try:
        status, body = outgoing.post(message.url, networks, message.body, message.headers, verify=verify)
    except connections.Refused as error:
        raise Failed(str(error)) from None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = {}
    return status, said if isinstance(said, dict) else {}
