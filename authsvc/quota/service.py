"""Storage quota of projects: verbs and queries. The limit is the project's, the usage the index's; a quota's id is its
project's, since each project has exactly one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, false, select, update
from sqlalchemy.orm import joinedload

from authsvc.artifacts import usage
from authsvc.audit import service as audit
from authsvc.configuration import service as configuration
from authsvc.core.db import db, present
from authsvc.core.errors import Denied, NotFound
from authsvc.projects.models import Project, StorageUsage
from authsvc.quota import rules

SILENCE = timedelta(minutes=10)  # in which a project that is full is told of once
_BULK: Any = {"execution_options": {"synchronize_session": False}}


@dataclass(frozen=True, slots=True)
class Drift:
    """A project whose usage was off by so many bytes (above 0: too large), and is right now."""

    project: str
    bytes: int


def all_quotas() -> Select[Any]:
    """Every project with its owner and its usage."""
    return select(Project).options(joinedload(Project.owner), joinedload(Project.usage))


def find(reference: str, reference_id: int | None) -> Select[Any]:
    """The quotas of a kind of thing, of which we have one, `project`, or of one such thing."""
    if reference not in ("", "project"):
        return all_quotas().where(false())
    return all_quotas().where(Project.id == reference_id) if reference_id else all_quotas()


def get(quota_id: int) -> Project:
    """A project with its owner and its usage.

    Raises:
        NotFound
    """
    found: Project | None = db.session.scalar(all_quotas().where(Project.id == quota_id))
    if found is None:
        raise NotFound(f"quota {quota_id} not found")
    return found


def set_limit(actor: str, project: Project, limit: int) -> None:
    """Another limit, in bytes (-1: none). One below what is used now refuses what is new, and deletes nothing.

    Raises:
        BadRequest
    """
    before, project.storage_limit = project.storage_limit, rules.check_limit(limit)
    if before != limit:
        audit.record(
            actor, "update", "quota", project.name, project_id=project.id, description=f"{_said(before)} -> {_said(limit)}"
        )


def _said(limit: int) -> str:
    return "no limit" if limit == rules.UNLIMITED else rules.readable(limit)


def summary(project: Project) -> dict[str, dict[str, int]] | None:
    """Harbor's `quota` of a project's summary; None while quotas are switched off."""
    if not configuration.value("quota_per_project_enable"):
        return None
    return {"hard": {"storage": project.storage_limit}, "used": {"storage": usage.used(project.id)}}


def require_room(project: Project, sizes: Mapping[str, int], in_flight: int = 0) -> None:
    """What is about to be stored (digest -> size) must fit. The project's row stays locked until the transaction ends, so
    that nobody else is let in on the same room; `in_flight`: bytes that are let in and not recorded yet.

    Raises:
        Denied: in Harbor's words.
    """
    if not configuration.value("quota_per_project_enable"):
        return
    limit = db.session.scalar(select(Project.storage_limit).where(Project.id == project.id).with_for_update(key_share=True))
    adding = usage.missing(project.id, sizes)
    used = usage.used(project.id) + in_flight
    if limit is not None and (message := rules.refusal(adding, used, limit)):
        raise Denied(message)


def passed(project_id: int) -> str:
    """What is to be told of how full a project is, "" if there is nothing new: it has come to a mark for the first time since it
    held less. In the caller's transaction, which may have changed it."""
    here = StorageUsage.project_id == project_id
    standing = select(Project.storage_limit, StorageUsage.bytes, StorageUsage.mark)
    found = db.session.execute(standing.join(Project, Project.id == StorageUsage.project_id).where(here)).first()
    if found is None or not configuration.value("quota_per_project_enable"):
        return ""
    limit, used, before = found
    mark = rules.mark(used, limit)
    if mark == before:
        return ""
    changed: Any = db.session.execute(update(StorageUsage).where(here, StorageUsage.mark == before).values(mark=mark), **_BULK)
    return rules.warning(mark, used, limit) if mark > before and changed.rowcount else ""


def is_news(project_id: int) -> bool:
    """Whether it is to be told now that something did not fit; not if it was told a short while ago. In the caller's
    transaction."""
    is_over = StorageUsage.exceeded_at.is_(None) | (StorageUsage.exceeded_at <= present() - SILENCE)
    mine = update(StorageUsage).where(StorageUsage.project_id == project_id, is_over).values(exceeded_at=present())
    changed: Any = db.session.execute(mine, **_BULK)
    return bool(changed.rowcount)


def correct(project: Project) -> Drift | None:
    """Count a project's usage anew; what was wrong, if anything was."""
    drift = usage.correct(project.id)
    return Drift(project.name, drift) if drift else None
