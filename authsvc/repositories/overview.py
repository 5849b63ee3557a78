"""Projects as the API shows them: with their repositories counted and the caller's roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from authsvc.allowlist import service as allowlists
from authsvc.projects.models import Project
from authsvc.rbac.principal import Principal
from authsvc.rbac.roles import BY_POWER, strongest
from authsvc.repositories import service


def described(projects: Sequence[Project], who: Principal, *, detail: bool = True) -> list[dict[str, Any]]:
    """Projects in Harbor's terms; two queries for all of them, none without `detail`."""
    ids = [project.id for project in projects] if detail else []
    counts, allowlist_of = service.count_by_project(ids), allowlists.of(ids)
    rows = []
    for project in projects:
        held = who.roles_in(project.ref)
        row = {"project": project, "repo_count": counts.get(project.id, 0), "cve_allowlist": allowlist_of.get(project.id)}
        if held:
            row["current_user_role_id"] = strongest(held)
            row["current_user_role_ids"] = [role for role in BY_POWER if role in held]
        rows.append(row)
    return rows
