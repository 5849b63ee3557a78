"""Telling what retention has deleted. Source: Harbor's TAG_RETENTION."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authsvc.core.db import db
from authsvc.jobs.context import JobContext
from authsvc.jobs.models import SUCCESS, Execution
from authsvc.notification import deliveries
from authsvc.repositories.models import Repository
from authsvc.retention.tasks import ACTOR

EVENT = "TAG_RETENTION"


def finished(context: JobContext, result: Mapping[str, Any]) -> None:
    """A repository's turn is over, in the transaction that says so; if anything was deleted."""
    deleted = [(one["tag"], one["digest"]) for one in result.get("deleted", ())]
    execution = db.session.get_one(Execution, context.execution_id)
    repository = db.session.get(Repository, context.payload["repository_id"])
    if not deleted or execution.extra_attrs["dry_run"] or repository is None:
        return
    name, host = repository.name, context.settings.registry_host
    said = {
        "total": result["total"],
        "retained": result["retained"],
        "harbor_hostname": host,
        "project_name": name.partition("/")[0],
        "retention_policy_id": execution.vendor_id,
        "retention_rules": execution.extra_attrs["rules"],
        "result": SUCCESS.upper(),
        "deleted_artifact": [
            {"type": "image", "status": SUCCESS.upper(), "name_tag": f"{name}:{tag}" if tag else f"{name}@{digest}"}
            for tag, digest in deleted
        ],
    }
    deliveries.announce(EVENT, repository.project_id, ACTOR, name, {"retention": said}, deleted)
