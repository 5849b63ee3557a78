"""A project's immutable tags."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request

from authsvc.core import selectors
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.patterns import MAX_LENGTH, Selector
from authsvc.core.text import is_storable
from authsvc.immutability import service
from authsvc.immutability.models import ImmutableTagRule
from authsvc.immutability.service import Wanted, rule_of
from authsvc.projects.access import load
from authsvc.projects.frame import frame, role_lacking
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import Principal
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, go, page

blueprint = Pages("immutability", __name__)


@blueprint.get("/projects/<name>/immutability")
def show_rules(name: str) -> Response:
    return _rules(name)


def _rules(name: str, problem: DomainError | None = None) -> Response:
    who, project = load(name, Action.LIST, Resource.IMMUTABLE_TAG, is_name=True)
    rows = db.session.scalars(service.of_project(project).order_by(ImmutableTagRule.id)).all()
    return page(
        "immutability.html",
        **frame(who, project),
        problem=problem,
        given=request.form,
        rules=[(row, rule_of(row)) for row in rows],
        lacking=role_lacking(who, Action.CREATE, Resource.IMMUTABLE_TAG, project),
        longest=MAX_LENGTH,
    )


@blueprint.post("/projects/<name>/immutability")
def create_rule(name: str) -> Response:
    who, project = load(name, Action.CREATE, Resource.IMMUTABLE_TAG, is_name=True)
    problem = attempted(lambda: service.create(who.name, project, _wanted()))
    return _rules(name, problem) if problem else go(f"/projects/{quote(name, safe='')}/immutability")


def _wanted() -> Wanted:
    return Wanted(_selector("repositories", selectors.REPOSITORY), _selector("tags", selectors.TAG), disabled=False, priority=0)


def _selector(field: str, decorations: tuple[str, str]) -> Selector:
    """What a field of the form selects, or all but that.

    Raises:
        BadRequest
    """
    pattern = request.form.get(field, "").strip()
    if not pattern:
        raise BadRequest(_("Say which: ** selects all."))
    if len(pattern) > MAX_LENGTH or not is_storable(pattern):
        raise BadRequest(f"a pattern has at most {MAX_LENGTH} characters")
    excludes = request.form.get(f"{field}_excluded") == "true"
    return selectors.parse({"kind": selectors.KIND, "decoration": decorations[excludes], "pattern": pattern}, decorations)


@blueprint.post("/projects/<name>/immutability/<int:rule_id>")
def change_rule(name: str, rule_id: int) -> Response:
    """Switch a rule off or on, or delete it."""
    action = request.form.get("action", "")
    needed = Action.DELETE if action == "delete" else Action.UPDATE
    who, project = load(name, needed, Resource.IMMUTABLE_TAG, is_name=True)
    problem = attempted(lambda: _change(who, project, rule_id, action))
    return _rules(name, problem) if problem else go(f"/projects/{quote(name, safe='')}/immutability")


def _change(who: Principal, project: Project, rule_id: int, action: str) -> None:
    row = service.get(project, rule_id)
    if action == "delete":
        service.remove(who.name, project, row)
    elif action in ("disable", "enable"):
        rule = rule_of(row)
        wanted = Wanted(rule.repositories, rule.tags, disabled=action == "disable", priority=row.priority)
        service.update(who.name, project, row, wanted)
    else:
        raise BadRequest("action is one of disable, enable, delete")
