"""What runs in the background: queues, workers, schedules, and each run with its log."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from authsvc.audit import service as audit
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.jobs import logs, monitor, schedules, service
from authsvc.jobs.models import FINAL, WAITING_OR_RUNNING, Execution, Schedule, Task
from authsvc.rbac.guard import require_sysadmin
from authsvc.rbac.principal import Principal
from authsvc.ui import listing
from authsvc.ui.shell import Pages, attempted, go, page

blueprint = Pages("jobs", __name__)
COLUMNS = {"started": Execution.id}  # which is their order, too
_ACTIONS = {"stop": monitor.empty, "pause": monitor.pause, "resume": monitor.resume}
_MOST_TASKS = 100
_LONGEST_LOGS = 64 * 1024  # characters of all tasks of a page, the last ones of each


@blueprint.get("/admin/jobs")
def show_jobs() -> Response:
    return _jobs()


def _jobs(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    return page(
        "jobs.html",
        problem=problem,
        queues=monitor.queues(),
        slots=monitor.slots(monitor.ALL),
        schedules=db.session.scalars(schedules.every().order_by(Schedule.next_time)).all(),
        paused=schedules.are_paused(),
    )


@blueprint.post("/admin/jobs")
def act_on_queue() -> Response:
    """Pause a queue, resume it, or stop what waits in it."""
    who, action, queue = require_sysadmin(), request.form.get("action", ""), request.form.get("queue", "")
    problem = attempted(lambda: _act(who, action, queue))
    return _jobs(problem) if problem else go("/admin/jobs")


def _act(who: Principal, action: str, queue: str) -> None:
    if action not in _ACTIONS:
        raise BadRequest(f"action is one of {', '.join(_ACTIONS)}")
    _ACTIONS[action](monitor.kinds(queue))
    audit.record(who.name, action, "job-queue", queue)


@blueprint.get("/admin/runs")
def show_runs() -> Response:
    require_sysadmin()
    asked, statement = listing.asked(COLUMNS), service.every()
    statuses = (*WAITING_OR_RUNNING, *FINAL)
    status = request.args.get("status", "")
    if status and status not in statuses:
        raise BadRequest(f"status is one of {', '.join(statuses)}")
    if asked.search:
        statement = statement.where(Execution.vendor_type == asked.search.upper())
    if status:
        statement = statement.where(Execution.status == status)
    shown = listing.part(statement, asked, COLUMNS, [Execution.id.desc()])
    return page("runs.html", listing=shown, chosen=status, statuses=statuses)


@blueprint.get("/admin/runs/<int:execution_id>")
def show_run(execution_id: int) -> Response:
    require_sysadmin()
    execution = service.get_any(execution_id)
    tasks = db.session.scalars(service.tasks_of(execution).order_by(Task.id).limit(_MOST_TASKS)).all()
    return page(
        "run.html",
        execution=execution,
        counted=service.metrics([execution.id]).get(execution.id, {}),
        tasks=[(task, logs.end_of(task, _LONGEST_LOGS // max(len(tasks), 1))) for task in tasks],
        goes_on=execution.status not in FINAL,
    )


@blueprint.post("/admin/runs/<int:execution_id>")
def stop_run(execution_id: int) -> Response:
    who = require_sysadmin()
    execution: Any = service.get_any(execution_id)
    service.stop(execution)
    audit.record(who.name, "stop", "job", f"{execution.vendor_type} {execution_id}")
    db.session.commit()
    return go(f"/admin/runs/{execution_id}")
