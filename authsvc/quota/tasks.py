"""Counting what projects store anew, as a job."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from authsvc.core.db import db, reading, transaction
from authsvc.jobs.context import JobContext
from authsvc.projects.models import Project
from authsvc.quota import service


def recompute(context: JobContext) -> dict[str, Any]:
    """Compare each project's usage with the rows of the index and mend it. It should never find anything: what it finds is
    in the log."""
    with reading():
        project_ids = list(db.session.scalars(select(Project.id).order_by(Project.id)))
    drifted = 0
    for project_id in project_ids:
        context.keep_going()
        with transaction():
            project = db.session.get(Project, project_id)
            drift = service.correct(project) if project else None
        if drift:
            drifted += 1
            context.log(f"{drift.project}: the usage was {abs(drift.bytes)} bytes too {'large' if drift.bytes > 0 else 'small'}")
    context.log(f"{len(project_ids)} projects, {drifted} mended")
    return {"projects": len(project_ids), "mended": drifted}
