"""Scans of everything: now, by schedule, and how far the last one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from authsvc.core.db import db
from authsvc.core.errors import Conflict, PreconditionFailed
from authsvc.jobs import cron, schedules
from authsvc.jobs import service as jobs
from authsvc.jobs.models import FINAL, MANUAL, SCHEDULE, SYSTEM, WAITING_OR_RUNNING, Execution
from authsvc.scanners import service
from authsvc.scanning import scans

KIND = "SCAN_ALL"

log = structlog.get_logger(component="scanning")


def begin(trigger: str) -> Execution:
    """Scan everything.

    Raises:
        PreconditionFailed: nobody could.
        Conflict: it runs already.
    """
    _require_default()
    if not jobs.may_start(KIND):
        raise Conflict("a scan of everything is running already")
    return jobs.launch(KIND, trigger)


def start(_vendor_id: int, _params: Mapping[str, Any]) -> object:
    """What the schedule does: nothing while it still runs, or nobody could scan."""
    try:
        return begin(SCHEDULE)
    except (PreconditionFailed, Conflict) as error:
        log.warning("scan_all_left_out", reason=error.message)
        return None


def set_schedule(wanted: Mapping[str, Any]) -> Execution | None:
    """`Manual` runs it now and returns the execution, `None` ends the schedule, all else sets it.

    Raises:
        PreconditionFailed, Conflict: as `begin`.
        BadRequest: the schedule.
    """
    if wanted["type"] == cron.MANUAL:
        return begin(MANUAL)
    if wanted["type"] == cron.NONE:
        schedules.remove(KIND)
    else:
        _require_default()
        schedules.put(KIND, SYSTEM, wanted["type"], wanted["cron"])
    return None


def _require_default() -> None:
    scanner = service.default()
    if scanner is None or scanner.disabled:
        raise PreconditionFailed("no default scanner is available: an administrator can register one")


def last(trigger: str = "") -> Execution | None:
    """The last run, or the last one that was started so."""
    runs = jobs.of_vendor(KIND)
    if trigger:
        runs = runs.where(Execution.trigger == trigger)
    found: Execution | None = db.session.scalar(runs.order_by(Execution.id.desc()).limit(1))
    return found


def is_running(execution: Execution | None) -> bool:
    """Whether a run has not ended."""
    return execution is not None and execution.status in WAITING_OR_RUNNING


def stats(execution: Execution | None) -> dict[str, Any]:
    """How far a run is, in Harbor's terms; None: there was none."""
    counted = jobs.metrics([execution.id], scans.KIND).get(execution.id, {}) if execution else {}
    return {
        "total": sum(counted.values()),
        "completed": sum(counted.get(status, 0) for status in FINAL),
        "metrics": counted,
        "ongoing": is_running(execution),
        "trigger": execution.trigger.capitalize() if execution else "",
    }
