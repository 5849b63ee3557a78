"""Jobs that an administrator starts or schedules, with a history: garbage collection, the purge of the audit log. Harbor has
the same seven operations for each; here they are made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authsvc.core.errors import Conflict
from authsvc.jobs import cron, schedules, service
from authsvc.jobs.models import MANUAL, SYSTEM, Execution, Schedule
from authsvc.jobs.schemas import schedule_object


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One of them: its kind in `wiring.JOBS`; `parse` checks its parameters and returns what is kept of them."""

    kind: str
    parse: Callable[[Mapping[str, Any]], dict[str, Any]]

    def start(self, parameters: Mapping[str, Any]) -> Execution:
        """Run it now.

        Raises:
            BadRequest: the parameters.
            Conflict: it runs already.
        """
        kept = self.parse(parameters)
        if not service.may_start(self.kind):
            raise Conflict(f"{self.kind} is running already")
        return service.launch(self.kind, MANUAL, payload=kept, extra_attrs=kept)

    def set_schedule(self, wanted: Mapping[str, Any], parameters: Mapping[str, Any]) -> Execution | None:
        """What Harbor's clients post: `Manual` runs it now and returns the execution, `None` ends the schedule, all else sets it.

        Raises:
            BadRequest, Conflict
        """
        if wanted["type"] == cron.MANUAL:
            return self.start(parameters)
        if wanted["type"] == cron.NONE:
            schedules.remove(self.kind)
        else:
            schedules.put(self.kind, SYSTEM, wanted["type"], wanted["cron"], self.parse(parameters))
        return None

    def schedule(self) -> dict[str, Any]:
        """The schedule in the words of Harbor's history; empty if there is none."""
        schedule = schedules.find(self.kind)
        return {} if schedule is None else _scheduled(schedule)

    def get(self, execution_id: int) -> Execution:
        """One run.

        Raises:
            NotFound
        """
        return service.get_execution(self.kind, SYSTEM, execution_id)


def described(execution: Execution) -> dict[str, Any]:
    """A run in the words of Harbor's history."""
    return {
        "id": execution.id,
        "job_name": execution.vendor_type,
        "job_kind": execution.trigger,
        "job_parameters": json.dumps(execution.extra_attrs),
        "schedule": {"type": execution.trigger.capitalize()},
        "job_status": execution.status,
        "creation_time": execution.start_time,
        "update_time": execution.update_time,
    }


def _scheduled(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "job_name": schedule.vendor_type,
        "job_kind": schedule.cron_type,
        "job_parameters": json.dumps(schedule.params),
        "schedule": schedule_object(schedule),
        "creation_time": schedule.creation_time,
        "update_time": schedule.update_time,
    }
