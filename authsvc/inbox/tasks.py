"""Housekeeping as a job: forget what was settled long ago."""

from typing import Any

from authsvc.core import idempotency
from authsvc.core.db import transaction
from authsvc.inbox import service
from authsvc.jobs.context import JobContext


def purge(context: JobContext) -> dict[str, Any]:
    """Purge settled events."""
    with transaction():
        service.purge()
        idempotency.purge()
    return {}
