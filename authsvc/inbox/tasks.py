"""Housekeeping as a job: forget what was settled long ago."""

from typing import Any

from authsvc.core.db import transaction
from authsvc.inbox import service
from authsvc.jobs import service as jobs
from authsvc.jobs.context import JobContext


def purge(context: JobContext) -> dict[str, Any]:
    """Purge settled events and ended tasks."""
    with transaction():
        service.purge()
        jobs.purge()
    return {}
