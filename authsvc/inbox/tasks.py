"""Housekeeping as a job: forget what was settled long ago."""

from typing import Any

from authsvc.core import idempotency, slices
from authsvc.core.idempotency import IdempotentRequest
from authsvc.inbox import service
from authsvc.inbox.models import InboxEvent
from authsvc.jobs.context import JobContext


def purge(context: JobContext) -> dict[str, Any]:
    """Forget events that were processed long ago, and requests whose answers were kept for a second one."""
    return {
        "events": slices.forget(InboxEvent, service.is_old(), context.keep_going),
        "requests": slices.forget(IdempotentRequest, idempotency.is_old(), context.keep_going),
    }
