"""How much there is: counts for everybody, totals for administrators."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from authsvc.artifacts.models import Blob
from authsvc.core.db import db
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import Principal
from authsvc.repositories.models import Repository

_TOTALS = ("total_project_count", "total_repo_count", "total_storage_consumption")


def statistics(who: Principal) -> dict[str, int]:
    """Harbor's `Statistic`: private ones are those where the caller holds a role; an administrator's are all."""
    public = _count(select(Project).where(Project.public.is_(True)), "public")
    if not who.is_sysadmin:
        return public | _count(projects.held_by(who), "private") | dict.fromkeys(_TOTALS, 0)
    every = _count(select(Project), "total")
    private = {
        f"private_{kind}_count": every[f"total_{kind}_count"] - public[f"public_{kind}_count"] for kind in ("project", "repo")
    }
    stored = db.session.scalar(select(func.sum(Blob.size))) or 0
    return public | private | every | {"total_storage_consumption": int(stored)}


def _count(of: Select[Any], name: str) -> dict[str, int]:
    ids = of.with_only_columns(Project.id)
    return {
        f"{name}_project_count": db.session.scalar(select(func.count()).select_from(ids.subquery())) or 0,
        f"{name}_repo_count": db.session.scalar(select(func.count()).where(Repository.project_id.in_(ids))) or 0,
    }
