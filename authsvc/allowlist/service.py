"""Allowlists: read and replace."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from authsvc.allowlist.models import CveAllowlist
from authsvc.core.db import db
from authsvc.core.errors import BadRequest


def of(project_ids: Sequence[int]) -> dict[int, CveAllowlist]:
    """The allowlists of these projects (`models.SYSTEM`: the system's), an empty one for who has none; one query."""
    found = {
        row.project_id: row for row in db.session.scalars(select(CveAllowlist).where(CveAllowlist.project_id.in_(project_ids)))
    }
    return {id_: found.get(id_) or CveAllowlist(project_id=id_, cve_ids=[], expires_at=None) for id_ in project_ids}


def replace(project_id: int, cve_ids: Sequence[str], expires_at: int | None) -> None:
    """Make these the list.

    Raises:
        BadRequest: an empty id, or one that is there twice.
    """
    named = [cve_id.strip() for cve_id in cve_ids]
    if not all(named):
        raise BadRequest("an item of the allowlist has an empty cve_id")
    if len(set(named)) < len(named):
        twice = next(cve_id for cve_id in named if named.count(cve_id) > 1)
        raise BadRequest(f"duplicate CVE id in the allowlist: {twice}")
    row = db.session.scalar(select(CveAllowlist).where(CveAllowlist.project_id == project_id).with_for_update())
    if row is None:
        row = CveAllowlist(project_id=project_id)
        db.session.add(row)
    row.cve_ids, row.expires_at = named, expires_at
    db.session.flush()


def remove(project_id: int) -> None:
    """Delete the list of a project that goes."""
    db.session.execute(delete(CveAllowlist).where(CveAllowlist.project_id == project_id))
