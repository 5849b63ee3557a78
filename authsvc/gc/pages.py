"""The garbage collection: what waits to be deleted, now and by schedule, and how it went."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from authsvc.artifacts import condemned
from authsvc.audit import service as audit
from authsvc.audit.changes import difference
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.gc import tasks
from authsvc.jobs import cron, schedules, service
from authsvc.jobs.models import FINAL, Execution
from authsvc.jobs.upkeep import Upkeep
from authsvc.rbac.guard import require_sysadmin
from authsvc.rbac.principal import Principal
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("gc", __name__)
UPKEEP = Upkeep(tasks.KIND, tasks.checked)
_RUNS = 10
_LONGEST_CRON = 255


@blueprint.get("/admin/gc")
def show() -> Response:
    return _shown()


def _shown(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    blobs, size = condemned.waiting()
    runs = service.of_vendor(tasks.KIND).order_by(Execution.id.desc()).limit(_RUNS)
    return page(
        "gc.html",
        problem=problem,
        blobs=blobs,
        size=size,
        runs=db.session.scalars(runs).all(),
        schedule=schedules.find(tasks.KIND),
        when=cron.CHOICES,
        final=FINAL,
    )


@blueprint.post("/admin/gc")
def collect() -> Response:
    """Collect now."""
    who = require_sysadmin()
    parameters: dict[str, Any] = {name: request.form.get(name) == "true" for name in ("delete_untagged", "dry_run")}
    problem = attempted(lambda: _set(who, {"type": cron.MANUAL, "cron": ""}, parameters))
    return _shown(problem) if problem else go("/admin/gc")


@blueprint.post("/admin/gc/schedule")
def change_schedule() -> Response:
    who = require_sysadmin()
    problem = attempted(lambda: _schedule(who, {"delete_untagged": request.form.get("delete_untagged") == "true"}))
    return _shown(problem) if problem else go("/admin/gc")


def _schedule(who: Principal, parameters: dict[str, Any]) -> None:
    wanted = fields({"type": _LONGEST_CRON, "cron": _LONGEST_CRON})
    if wanted["type"] not in cron.CHOICES:
        raise BadRequest(f"type is one of {', '.join(cron.CHOICES)}")
    _set(who, wanted, parameters)


def _set(who: Principal, wanted: dict[str, str], parameters: dict[str, Any]) -> None:
    """As the API does, and noted in the same words."""
    started = UPKEEP.set_schedule(wanted, parameters)
    told = {"schedule": wanted["type"], "cron": wanted["cron"], "parameters": parameters}
    audit.record(who.name, "create" if started else "update", "schedule", tasks.KIND, changes=difference({}, told))
