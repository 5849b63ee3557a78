"""How much there is: counts for everybody, totals for administrators."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from authsvc.artifacts.models import Blob
from authsvc.core.db import db
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository

_TOTALS = ("total_project_count", "total_repo_count", "total_storage_consumption")


def statistics(who: Principal) -> dict[str, int]:
    """Harbor's `Statistic`: what the caller may read; totals are an administrator's."""
    counts = {
        f"{name}_{kind}_count": _count(of)
        for name, is_public in (("public", True), ("private", False))
        for kind, of in (("project", _projects(who, is_public)), ("repo", _repositories(who, is_public)))
    }
    if not who.is_sysadmin:
        return counts | dict.fromkeys(_TOTALS, 0)
    totals = {
        f"total_{kind}_count": counts[f"public_{kind}_count"] + counts[f"private_{kind}_count"] for kind in ("project", "repo")
    }
    stored = db.session.scalar(select(func.sum(Blob.size))) or 0
    return counts | totals | {"total_storage_consumption": int(stored)}


def _projects(who: Principal, is_public: bool) -> Select[Any]:
    return projects.readable_by(who).where(Project.public.is_(is_public)).with_only_columns(Project.id)


def _repositories(who: Principal, is_public: bool) -> Select[Any]:
    there = select(Project.id).where(Project.public.is_(is_public))
    return repositories.in_reach(who).where(Repository.project_id.in_(there)).with_only_columns(Repository.id)


def _count(of: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(of.subquery())) or 0
