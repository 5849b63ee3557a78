"""Telling those who listen to a project what was copied to or from it. Source: Harbor's REPLICATION."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authsvc.core import names
from authsvc.core.db import db
from authsvc.jobs.context import JobContext
from authsvc.jobs.models import ERROR, SUCCESS, Execution
from authsvc.notification import deliveries
from authsvc.projects import service as projects
from authsvc.registries import service as registries
from authsvc.registries.providers import HARBOR
from authsvc.replication import service
from authsvc.replication.local import ACTOR
from authsvc.replication.models import ReplicationPolicy

EVENT = "REPLICATION"
_KIND = "image"


def ended(context: JobContext, outcome: Mapping[str, Any]) -> None:
    """A part of a run is over, in the transaction that says so; if anything came of it."""
    execution = db.session.get(Execution, context.execution_id)
    policy = service.find(execution.vendor_id) if execution else None
    if execution is None or policy is None or not (outcome["done"] or outcome["failed"]):
        return
    place = context.payload["source" if policy.source_id is None else "target"]
    project = projects.find_ref(names.project_of(place), is_name=True)
    if project is None or not deliveries.listening(project.id, EVENT):
        return
    resources = [(tag, digest) for tag, digest in outcome["done"]]
    details = {"replication": _said(context, execution, policy, outcome)}
    deliveries.announce(EVENT, project.id, ACTOR, place, details, resources)


def _said(context: JobContext, execution: Execution, policy: ReplicationPolicy, outcome: Mapping[str, Any]) -> dict[str, Any]:
    target = context.payload["target"]
    named = {
        status: [
            {"type": _KIND, "status": status.title(), "name_tag": f"{target}{':' + tag if tag else '@' + digest}"}
            for tag, digest in found
        ]
        for status, found in ((SUCCESS, outcome["done"]), (ERROR, outcome["failed"]))
    }
    other = registries.get(policy.source_id or policy.destination_id or 0)
    here = {
        "registry_name": "Local",
        "registry_type": HARBOR,
        "endpoint": context.settings.external_url,
        "provider": HARBOR,
    }
    there = {"registry_name": other.name, "registry_type": other.type, "endpoint": other.url, "provider": other.type}
    source, destination = (here, there) if policy.source_id is None else (there, here)
    return {
        "harbor_hostname": context.settings.registry_host,
        "job_status": "Success" if not outcome["failed"] else "Failed",
        "description": policy.description,
        "policy_creator": policy.creator,
        "artifact_type": _KIND,
        "authentication_type": other.credential_type or "basic",
        "override_mode": policy.override,
        "trigger_type": execution.trigger,
        "execution_timestamp": int(execution.start_time.timestamp()),
        "src_resource": source | {"namespace": names.project_of(context.payload["source"])},
        "dest_resource": destination | {"namespace": names.project_of(target)},
        "successful_artifact": named[SUCCESS],
        "failed_artifact": named[ERROR],
    }
