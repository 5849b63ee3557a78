"""My account: access tokens, and where I am logged in."""

from __future__ import annotations

from flask import Response, request
from sqlalchemy import Select

from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.text import is_storable
from authsvc.projects import service as projects
from authsvc.projects.access import readable_id
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_person
from authsvc.rbac.principal import Principal
from authsvc.secrets import rules, service
from authsvc.secrets.models import Secret, SecretUse
from authsvc.secrets.rules import Kind, Scope
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.listing import Listing
from authsvc.ui.shell import Pages, attempted, go, page
from authsvc.users import service as users

blueprint = Pages("secrets", __name__)
COLUMNS = {"created": Secret.creation_time, "used": SecretUse.last_used_at, "expires": Secret.expires_at}
_LOGINS = (Kind.SESSION, Kind.REFRESH)
_LONGEST_NAME, _MOST_DAYS, _DIGITS, _MOST_PROJECTS = 255, 3650, 4, 100


def _mine(who: Principal, *kinds: Kind) -> Listing:
    found: Select[Secret, SecretUse] = service.of_owner("user", who.id, *kinds).order_by(None)
    return listing.part(found, listing.asked(COLUMNS), COLUMNS, [Secret.id.desc()], scalars=False)


@blueprint.get("/account/tokens")
def show_tokens() -> Response:
    return _tokens()


def _tokens(problem: DomainError | None = None) -> Response:
    shown = _mine(require_person(), Kind.ACCESS)
    return page(
        "tokens.html",
        problem=problem,
        given=request.form,
        listing=shown,
        described=[_described(row) for row in shown.rows],
        actions=[*rules.ACTIONS],
    )


def _described(row: tuple[Secret, SecretUse | None]) -> dict[str, object]:
    found = service.described(row)
    return found | {"projects": projects.names_of(found["project_ids"])}


@blueprint.post("/account/tokens")
def create_token() -> Response:
    who, made = require_person(Door.CREDENTIALS), []

    def make() -> None:
        asked = request.form
        scope = _scope(who, asked.get("projects", "").split(), asked.getlist("action"))
        networks = rules.parse_networks(asked.get("networks", "").split())
        user = users.get(who.id)
        made.append(service.issue_access_token(who.name, user, _name(), days=_days(), scope=scope, networks=networks)[0])

    if problem := attempted(make):
        return _tokens(problem)
    return page("token_secret.html", name=request.form["name"].strip(), secret=made[-1])


def _name() -> str:
    name = request.form.get("name", "").strip()
    if not name or len(name) > _LONGEST_NAME or not is_storable(name):
        raise BadRequest(_("Say what the token is for, in at most 255 characters."))
    return name


def _days() -> int | None:
    """How long it is good; an empty field: until it is revoked."""
    given = request.form.get("days", "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS and 1 <= int(given) <= _MOST_DAYS):
        raise BadRequest(_("How many days it is good is a number from 1 to 3650, or empty: until it is revoked."))
    return int(given)


def _scope(who: Principal, names: list[str], actions: list[str]) -> Scope | None:
    """What it is limited to; nothing named: all that its owner may."""
    if not names and not actions:
        return None
    if len(names) > _MOST_PROJECTS:
        raise BadRequest(_("At most 100 projects can be named."))
    ids = tuple(readable_id(who, name) for name in names) if names else None
    return Scope(ids, rules.parse_actions(actions or rules.ACTIONS))


@blueprint.post("/account/tokens/<int:secret_id>")
def revoke_token(secret_id: int) -> Response:
    problem = _ended(secret_id, Kind.ACCESS)
    return _tokens(problem) if problem else go("/account/tokens")


@blueprint.get("/account/logins")
def show_logins() -> Response:
    return _logins()


def _logins(problem: DomainError | None = None) -> Response:
    return page("logins.html", problem=problem, listing=_mine(require_person(), *_LOGINS), session_kind=Kind.SESSION)


@blueprint.post("/account/logins/<int:secret_id>")
def end_login(secret_id: int) -> Response:
    problem = _ended(secret_id, *_LOGINS)
    return _logins(problem) if problem else go("/account/logins")


def _ended(secret_id: int, *kinds: Kind) -> DomainError | None:
    who = require_person()
    return attempted(lambda: service.revoke(who.name, "user", who.id, who.name, secret_id, *kinds))
