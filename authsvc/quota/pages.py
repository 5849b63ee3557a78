"""Storage quotas, for system administrators: what each project uses, and may."""

from __future__ import annotations

from flask import Response, request

from authsvc.configuration import service as configuration
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.text import own_path
from authsvc.projects.models import Project, StorageUsage
from authsvc.quota import service
from authsvc.quota.rules import MARKS, UNLIMITED
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("quota", __name__)
COLUMNS = {"name": Project.name, "used": StorageUsage.bytes, "limit": Project.storage_limit}
UNITS = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_LONGEST = {"limit": 12, "unit": 3}
_DIGITS = 6


@blueprint.get("/admin/quotas")
def show_quotas() -> Response:
    return _quotas()


def _quotas(problem: DomainError | None = None) -> Response:
    require_system(Action.LIST, Resource.QUOTA)
    asked, statement = listing.asked(COLUMNS), service.all_quotas().join(Project.usage)
    if asked.search:
        statement = statement.where(Project.name.icontains(asked.search, autoescape=True))
    return page(
        "quotas.html",
        problem=problem,
        listing=listing.part(statement, asked, COLUMNS, [StorageUsage.bytes.desc(), Project.id]),
        obeyed=configuration.value("quota_per_project_enable"),
        usual=configuration.value("storage_per_project"),
        units=UNITS,
        high=MARKS[0] / 100,
    )


@blueprint.post("/admin/quotas/<int:project_id>")
def change_quota(project_id: int) -> Response:
    who = require_system(Action.UPDATE, Resource.QUOTA)
    problem = attempted(lambda: _change(who, project_id))
    return _quotas(problem) if problem else go(own_path(request.form.get("back", "/admin/quotas")))


def _change(who: Principal, project_id: int) -> None:
    """An empty field: no limit."""
    given = fields(_LONGEST)
    if given["unit"] not in UNITS:
        raise BadRequest(f"unit is one of {', '.join(UNITS)}")
    number = given["limit"]
    if number and not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
        raise BadRequest(_("A limit is a number, or empty: none."))
    service.set_limit(who.name, service.get(project_id), int(number) * UNITS[given["unit"]] if number else UNLIMITED)
