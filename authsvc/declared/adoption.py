"""A registry that was there before us: which projects its repositories need."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from authsvc.core.db import db, reading
from authsvc.core.names import MARKER, is_project, is_repository, project_of
from authsvc.distribution.client import RegistryClient
from authsvc.projects.models import Project


@dataclass(frozen=True, slots=True)
class Found:
    """`projects`: names of those that there are not yet; `homeless`: repositories that can be in none."""

    projects: list[str]
    homeless: list[str]


def read(client: RegistryClient) -> Found:
    """Look at all that the registry has.

    Raises:
        Unavailable
    """
    with reading():
        known = set(db.session.scalars(select(Project.name)))
    projects: set[str] = set()
    homeless = []
    for name in client.repositories():
        if name == MARKER:
            continue
        project = project_of(name) if is_repository(name) else ""
        if project and is_project(project) and "/" in name:
            projects.add(project)
        else:
            homeless.append(name)
    return Found(sorted(projects - known), sorted(homeless))
