"""Harbor's objects of executions, tasks, schedules and of the job service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time
from authsvc.jobs import cron, service
from authsvc.jobs.models import Execution, Schedule


class MetricsSchema(Schema):
    task_count = fields.Integer()
    success_task_count = fields.Integer()
    error_task_count = fields.Integer()
    pending_task_count = fields.Integer()
    running_task_count = fields.Integer()
    scheduled_task_count = fields.Integer()
    stopped_task_count = fields.Integer()


class ExecutionSchema(Schema):
    id = fields.Integer()
    vendor_type = fields.String()
    vendor_id = fields.Integer()
    status = fields.String()
    status_message = fields.String()
    metrics = fields.Nested(MetricsSchema)
    trigger = fields.String()
    extra_attrs = fields.Dict()
    start_time = Time()
    end_time = Time()


class TaskSchema(Schema):
    id = fields.Integer()
    execution_id = fields.Integer()
    status = fields.String()
    status_message = fields.String()
    run_count = fields.Integer()
    extra_attrs = fields.Dict()
    creation_time = Time()
    update_time = Time()
    start_time = Time()
    end_time = Time()


class ScheduleObjSchema(Schema):
    type = fields.String(load_default=cron.NONE, validate=validate.OneOf(cron.TYPES))
    cron = fields.String(load_default="")
    next_scheduled_time = Time(dump_only=True)


class ScheduleSchema(Schema):
    """What is posted and put to have something recur, or run now."""

    id = fields.Integer(dump_only=True)
    status = fields.String(dump_only=True)
    creation_time = Time(dump_only=True)
    update_time = Time(dump_only=True)
    schedule = fields.Nested(ScheduleObjSchema, required=True)
    parameters = fields.Dict(load_default=dict, allow_none=True)


class HistorySchema(Schema):
    """Harbor's `GCHistory` and `ExecHistory`: an execution, or a schedule, in the words of its older API."""

    id = fields.Integer()
    job_name = fields.String()
    job_kind = fields.String()
    job_parameters = fields.String()
    schedule = fields.Nested(ScheduleObjSchema)
    job_status = fields.String()
    deleted = fields.Boolean()
    creation_time = Time()
    update_time = Time()


class WorkerPoolSchema(Schema):
    worker_pool_id = fields.String(attribute="name")
    pid = fields.Integer()
    host = fields.String()
    concurrency = fields.Integer()
    start_at = Time(attribute="start_time")
    heartbeat_at = Time(attribute="heartbeat_time")


class WorkerSchema(Schema):
    id = fields.String(attribute="name")
    pool_id = fields.String(attribute="pool")
    job_name = fields.String(attribute="task.kind")
    job_id = fields.String(attribute="task.job_id")
    start_at = Time(attribute="task.start_time")
    checkin_at = Time(attribute="task.update_time")


class QueueSchema(Schema):
    always = frozenset({"paused"})

    job_type = fields.String(attribute="kind")
    count = fields.Integer()
    latency = fields.Integer()
    paused = fields.Boolean()


class ActionSchema(Schema):
    action = fields.String(required=True, validate=validate.OneOf(["stop", "pause", "resume"]))


class ScheduleTaskSchema(Schema):
    id = fields.Integer()
    vendor_type = fields.String()
    vendor_id = fields.Integer()
    cron = fields.String()
    update_time = Time()


class SchedulerStatusSchema(Schema):
    always = frozenset({"paused"})

    paused = fields.Boolean()


def described(executions: Iterable[Execution]) -> list[dict[str, Any]]:
    """Executions as `ExecutionSchema` takes them, with one query for the metrics of all."""
    executions = list(executions)
    counted = service.metrics(execution.id for execution in executions)
    return [_described(execution, counted.get(execution.id, {})) for execution in executions]


def _described(execution: Execution, counted: Mapping[str, int]) -> dict[str, Any]:
    metrics = {f"{status.lower()}_task_count": number for status, number in counted.items()}
    names = ("id", "vendor_type", "vendor_id", "status", "status_message", "trigger", "extra_attrs", "start_time", "end_time")
    return {name: getattr(execution, name) for name in names} | {
        "metrics": metrics | {"task_count": sum(counted.values())},
    }


def schedule_object(schedule: Schedule) -> dict[str, str | datetime]:
    """A schedule as `ScheduleObjSchema` takes it."""
    return {"type": schedule.cron_type, "cron": schedule.cron, "next_scheduled_time": schedule.next_time}
