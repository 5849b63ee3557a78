"""Why something was refused, and whether somebody may do something."""

from __future__ import annotations

from flask import Response, current_app

from authsvc.authn.asked import explained
from authsvc.core.db import let_go
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.names import is_repository, project_of
from authsvc.gate import replay
from authsvc.gate.service import Gate
from authsvc.rbac.explain import Explanation, permission_of
from authsvc.rbac.guard import require_login, require_sysadmin
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, fields, go, page

blueprint = Pages("gate", __name__)
ACTIONS = ("pull", "push", "delete", "member:create", "project:update", "robot:create", "tag:delete")
_LONGEST = 512


@blueprint.get("/decisions/<decision_id>")
def show_decision(decision_id: str) -> Response:
    """For who was refused, with the id that docker has printed; as the API's, and `authsvc explain ID`."""
    row = replay.get(decision_id, require_login())
    gate: Gate = current_app.extensions["gate"]
    outcomes = {"then": replay.was(row), "now": replay.now(row, gate.callers.snapshots.current(), gate.checks)}
    return page("decision.html", row=row, outcomes=outcomes)


@blueprint.get("/admin/explain")
def explain() -> Response:
    """Whether somebody may do something somewhere, and why; or to the decision whose id is given."""
    require_sysadmin()
    asked = fields(dict.fromkeys(("user", "action", "place", "decision"), _LONGEST))
    if asked["decision"]:
        return go(f"/decisions/{asked['decision']}") if asked["decision"].isalnum() else _shown(asked, None, _no_decision())
    if not (asked["user"] and asked["place"]):
        return _shown(asked, None, None)
    let_go()  # directories may have to be asked
    try:
        return _shown(asked, _found(asked["user"], asked["action"], asked["place"]), None)
    except DomainError as error:
        return _shown(asked, None, error)


def _no_decision() -> DomainError:
    return BadRequest(_("That is no id of a decision."))


def _found(user: str, action: str, place: str) -> Explanation:
    if "/" in place and not is_repository(place):
        raise BadRequest(f"{place} is no repository name: lower case, project/name")
    return explained(user, "", permission_of(action), project_of(place), place if "/" in place else "")


def _shown(asked: dict[str, str], found: Explanation | None, problem: DomainError | None) -> Response:
    return page("explain.html", problem=problem, asked=asked, found=found, actions=ACTIONS)
