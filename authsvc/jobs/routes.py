"""The job service, by Harbor's paths: worker processes, queues, logs, schedules."""

from typing import Any

from flask import Response

from authsvc.audit import service as audit
from authsvc.audit import tasks as purge
from authsvc.audit.changes import difference
from authsvc.core.api import PREFIX, Blueprint, ListArguments, PageArguments, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import filtered, ordered
from authsvc.gc import tasks as gc
from authsvc.jobs import logs, monitor, schedules, service
from authsvc.jobs.models import Execution, Schedule, Task
from authsvc.jobs.schemas import (
    ActionSchema,
    HistorySchema,
    QueueSchema,
    SchedulerStatusSchema,
    ScheduleSchema,
    ScheduleTaskSchema,
    WorkerPoolSchema,
    WorkerSchema,
)
from authsvc.jobs.upkeep import Upkeep, described
from authsvc.rbac.guard import require_login, require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal

blueprint = Blueprint("jobservice", __name__, description="What runs in the background")

COLUMNS = {
    "id": Execution.id,
    "job_status": Execution.status,
    "status": Execution.status,
    "trigger": Execution.trigger,
    "job_kind": Execution.trigger,
    "creation_time": Execution.start_time,
    "start_time": Execution.start_time,
    "update_time": Execution.update_time,
}
NEWEST_FIRST = (Execution.start_time.desc(), Execution.id.desc())


def log_response(task: Task) -> Response:
    """A task's log as text."""
    return Response(logs.read(task), mimetype="text/plain")


@blueprint.get("/jobservice/pools")
@blueprint.response(200, WorkerPoolSchema(many=True))
def list_pools() -> Any:
    require_system(Action.LIST, Resource.JOBSERVICE_MONITOR)
    return monitor.pools()


@blueprint.get("/jobservice/pools/<pool_id>/workers")
@blueprint.response(200, WorkerSchema(many=True))
def list_workers(pool_id: str) -> Any:
    require_system(Action.LIST, Resource.JOBSERVICE_MONITOR)
    return monitor.slots(pool_id)


@blueprint.put("/jobservice/jobs/<job_id>")
@blueprint.response(200)
def stop_job(job_id: str) -> None:
    who = require_system(Action.STOP, Resource.JOBSERVICE_MONITOR)
    task = service.get_by_job_id(job_id)
    service.stop_tasks(Task.id == task.id)
    audit.record(who.name, "stop", "job", f"{task.kind} {job_id}")
    db.session.commit()


@blueprint.get("/jobservice/jobs/<job_id>/log")
@blueprint.response(200, content_type="text/plain")
def get_job_log(job_id: str) -> Response:
    require_system(Action.LIST, Resource.JOBSERVICE_MONITOR)
    return log_response(service.get_by_job_id(job_id))


@blueprint.get("/jobservice/queues")
@blueprint.response(200, QueueSchema(many=True))
def list_queues() -> Any:
    require_system(Action.LIST, Resource.JOBSERVICE_MONITOR)
    return monitor.queues()


_ACTIONS = {"stop": monitor.empty, "pause": monitor.pause, "resume": monitor.resume}


@blueprint.put("/jobservice/queues/<job_type>")
@blueprint.arguments(ActionSchema)
@blueprint.response(200)
def act_on_queue(body: dict[str, Any], job_type: str) -> None:
    who = require_system(Action.STOP, Resource.JOBSERVICE_MONITOR)
    _ACTIONS[body["action"]](monitor.kinds(job_type))
    audit.record(who.name, body["action"], "job-queue", job_type)
    db.session.commit()


@blueprint.get("/schedules")
@blueprint.arguments(PageArguments, location="query")
@blueprint.response(200, ScheduleTaskSchema(many=True))
def list_schedules(arguments: dict[str, Any]) -> Any:
    require_system(Action.LIST, Resource.JOBSERVICE_MONITOR)
    return page_of(schedules.every().order_by(Schedule.id), arguments)


@blueprint.get("/schedules/<job_type>/paused")
@blueprint.response(200, SchedulerStatusSchema)
def get_schedules_paused(job_type: str) -> dict[str, bool]:
    require_login()
    if job_type.lower() != monitor.ALL:
        raise BadRequest("only all schedules together can be paused: ask for `all`")
    return {"paused": schedules.are_paused()}


def upkeep_blueprint(name: str, path: str, upkeep: Upkeep, resource: Resource) -> Blueprint:
    """Harbor's operations on a job that administrators start or schedule."""
    made = Blueprint(name, __name__, url_prefix=path, description=f"{upkeep.kind}: now, by schedule, and how it went")

    @made.get("")
    @made.arguments(ListArguments, location="query")
    @made.response(200, HistorySchema(many=True))
    def list_runs(arguments: dict[str, Any]) -> Any:
        require_system(Action.LIST, resource)
        narrowed = filtered(service.of_vendor(upkeep.kind), arguments["q"], COLUMNS)
        rows, headers = page_of(ordered(narrowed, arguments["sort"], COLUMNS, NEWEST_FIRST), arguments)
        return [described(row) for row in rows], headers

    @made.get("/<int:run_id>")
    @made.response(200, HistorySchema)
    def get_run(run_id: int) -> Any:
        require_system(Action.READ, resource)
        return described(upkeep.get(run_id))

    @made.put("/<int:run_id>")
    @made.response(200)
    def stop_run(run_id: int) -> None:
        who = require_system(Action.STOP, resource)
        service.stop(upkeep.get(run_id))
        audit.record(who.name, "stop", "job", f"{upkeep.kind} {run_id}")
        db.session.commit()

    @made.get("/<int:run_id>/log")
    @made.response(200, content_type="text/plain")
    def get_run_log(run_id: int) -> Response:
        require_system(Action.READ, resource)
        return log_response(service.only_task(upkeep.get(run_id)))

    @made.get("/schedule")
    @made.response(200, HistorySchema)
    def get_schedule() -> Any:
        require_system(Action.READ, resource)
        return upkeep.schedule()

    def change(who: Principal, body: dict[str, Any]) -> int:
        """Run now or schedule; returns the id of the run, 0 if there is none."""
        started = upkeep.set_schedule(body["schedule"], body["parameters"] or {})
        told = {"schedule": body["schedule"]["type"], "cron": body["schedule"]["cron"], "parameters": body["parameters"]}
        audit.record(who.name, "create" if started else "update", "schedule", upkeep.kind, changes=difference({}, told))
        started_id = started.id if started else 0
        db.session.commit()
        return started_id

    @made.post("/schedule")
    @made.arguments(ScheduleSchema)
    @made.response(201)
    def create_schedule(body: dict[str, Any]) -> Any:
        run_id = change(require_system(Action.CREATE, resource), body)
        return None, 201, {"Location": f"{PREFIX}{path}/{run_id}"}

    @made.put("/schedule")
    @made.arguments(ScheduleSchema)
    @made.response(200)
    def update_schedule(body: dict[str, Any]) -> None:
        change(require_system(Action.UPDATE, resource), body)

    return made


purge_blueprint = upkeep_blueprint("purge", "/system/purgeaudit", Upkeep(purge.KIND, purge.checked), Resource.PURGE_AUDIT)
gc_blueprint = upkeep_blueprint("gc", "/system/gc", Upkeep(gc.KIND, gc.checked), Resource.GARBAGE_COLLECTION)
