"""Housekeeping of executions as a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import true

from authsvc.core.db import transaction
from authsvc.jobs import service
from authsvc.jobs.context import JobContext


def sweep(context: JobContext, kept: Mapping[str, int]) -> dict[str, Any]:
    """Keep the newest executions of each vendor (vendor type -> how many), and end those whose tasks have all ended."""
    removed = 0
    for vendor_type, number in kept.items():
        while True:
            context.keep_going()
            with transaction():
                swept = service.sweep(vendor_type, number)
            removed += swept
            if not swept:
                break
    with transaction():
        service.settle(true())
    context.log(f"{removed} executions forgotten")
    return {"removed": removed}
