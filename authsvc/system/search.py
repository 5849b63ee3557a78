"""What is found by a word."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from authsvc.artifacts import service as artifacts
from authsvc.core.db import db
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.repositories.overview import described

MAX_FOUND = 500  # of each kind; Harbor has no limit, and answers with everything there is


def search(who: Principal, text: str) -> dict[str, Any]:
    """Projects and repositories whose name contains `text`, among those that the caller may know of."""
    named = projects.readable_by(who).where(Project.name.icontains(text, autoescape=True)).order_by(Project.name)
    called = repositories.in_reach(who).where(Repository.name.icontains(text, autoescape=True)).order_by(Repository.name)
    rows = db.session.scalars(called.limit(MAX_FOUND)).all()
    counts = artifacts.count_by_repository([repository.id for repository in rows])
    places = select(Project).where(Project.id.in_({repository.project_id for repository in rows}))
    project_of = {project.id: project for project in db.session.scalars(places)}
    return {
        "project": described(db.session.scalars(named.limit(MAX_FOUND)).all(), who),
        "repository": [
            {
                "project_id": repository.project_id,
                "project_name": project_of[repository.project_id].name,
                "project_public": project_of[repository.project_id].public,
                "repository_name": repository.name,
                "pull_count": repository.pull_count,
                "artifact_count": counts.get(repository.id, 0),
            }
            for repository in rows
        ],
    }
