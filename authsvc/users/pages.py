"""My account's password; and, for system administrators, everybody's accounts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Response, request
from sqlalchemy import or_, select

from authsvc.authn import session
from authsvc.authn.lockout import require_own_password
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError, Forbidden
from authsvc.core.repeat import outside
from authsvc.groups import service as groups
from authsvc.projects.models import Project, ProjectMember
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_person, require_sysadmin
from authsvc.rbac.principal import Principal
from authsvc.ui import export, listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page
from authsvc.users import service
from authsvc.users.models import User
from authsvc.users.passwords import MIN_LENGTH, Chosen, choose

blueprint = Pages("account", __name__)
COLUMNS = {"name": User.username, "email": User.email, "created": User.creation_time}
_LONGEST = {"username": 255, "email": 255, "realname": 255}
_ROWS = 200  # of a user's projects and groups each


@blueprint.get("/account/password")
def password_page() -> Response:
    who = require_person(Door.CREDENTIALS)
    return page("password.html", must=who.temporary_password, elsewhere=service.get(who.id).origin, shortest=MIN_LENGTH)


@blueprint.post("/account/password")
def change_password() -> Response:
    """Another password; every other session and token of before ends, as with the API."""
    who = require_person(Door.CREDENTIALS)
    given = request.form
    user = service.get(who.id)
    username, old, new = user.username, given.get("old", ""), given.get("new", "")
    try:
        service.require_local(user)
        if new != given.get("again", ""):
            raise BadRequest(_("The new password is not the same in both fields."))
        outside("old password", lambda: require_own_password(username, old))
        chosen = outside("password", lambda: choose(new, username))
        service.set_password(who.name, user, chosen, old=old)
    except DomainError as error:
        db.session.rollback()
        return page("password.html", problem=error, must=who.temporary_password, shortest=MIN_LENGTH)
    response = go("/")
    session.start(replace(who, epoch=user.epoch), response)  # all earlier ones have ended with the old password
    db.session.commit()
    return response


# -- for system administrators -----------------------------------------------------------------------------------------


@blueprint.get("/admin/users")
def show_users() -> Response:
    return _users()


def _users(problem: DomainError | None = None) -> Response:
    require_sysadmin()
    asked, statement = listing.asked(COLUMNS), service.all_users()
    if asked.search:
        parts = (User.username, User.email, User.realname)
        statement = statement.where(or_(*(part.icontains(asked.search, autoescape=True) for part in parts)))
    if problem is None and export.is_asked():
        return export.exported("users", statement, asked, COLUMNS, [User.username], _row)
    return page(
        "users.html", listing=listing.part(statement, asked, COLUMNS, [User.username]), problem=problem, given=request.form
    )


def _row(row: Any) -> dict[str, Any]:
    """A user in a file."""
    (user,) = row
    names = ("username", "realname", "email", "sysadmin", "disabled", "creation_time")
    return {name: getattr(user, name) for name in names} | {"source": user.origin.source if user.origin else ""}


@blueprint.post("/admin/users")
def create_user() -> Response:
    """With a generated password, which is shown once and changed by its owner before anything else."""
    who = require_sysadmin(Door.IDENTITIES)
    return _with_password(lambda: _create(who), _users)


def _create(who: Principal) -> tuple[str, Chosen]:
    given = fields(_LONGEST)
    username, chosen = given["username"], _generated(given["username"])
    service.create(
        who.name, username=username, password=chosen, email=given["email"] or None, realname=given["realname"], temporary=True
    )
    return username, chosen


def _generated(username: str) -> Chosen:
    """A password; the same if the request begins anew."""
    return outside("password", lambda: choose(secrets.token_urlsafe(18), username))


def _with_password(give: Callable[[], tuple[str, Chosen]], refused: Callable[[DomainError], Response]) -> Response:
    """Give somebody a generated password, and show it, this once."""
    given: list[tuple[str, Chosen]] = []
    if problem := attempted(lambda: given.append(give())):
        return refused(problem)
    username, chosen = given[-1]
    return page("user_password.html", username=username, password=chosen.text)


@blueprint.get("/admin/users/<int:user_id>")
def show_user(user_id: int) -> Response:
    return _user(user_id)


def _user(user_id: int, problem: DomainError | None = None) -> Response:
    require_sysadmin()
    user = service.get(user_id)
    roles = select(Project.name, ProjectMember.role).join(ProjectMember, ProjectMember.project_id == Project.id)
    direct = roles.where(ProjectMember.entity_type == "u", ProjectMember.entity_id == user.id)
    return page(
        "user.html",
        user=user,
        problem=problem,
        roles=db.session.execute(direct.order_by(Project.name).limit(_ROWS)).all(),
        groups=db.session.scalars(groups.of_user(user.id).limit(_ROWS)).all(),
    )


@blueprint.post("/admin/users/<int:user_id>")
def change_user(user_id: int) -> Response:
    """More rights or fewer, a new password, or an end."""
    who, action = require_sysadmin(Door.IDENTITIES), request.form.get("action", "")
    if action == "password":
        return _with_password(lambda: _reset(who, user_id), lambda problem: _user(user_id, problem))
    verbs: dict[str, Callable[[], None]] = {
        "promote": lambda: service.set_sysadmin(who.name, service.get(user_id), True),
        "demote": lambda: service.set_sysadmin(who.name, service.get(user_id), False),
        "disable": lambda: service.set_disabled(who.name, service.get(user_id), True),
        "enable": lambda: service.set_disabled(who.name, service.get(user_id), False),
        "delete": lambda: _delete(who, user_id),
    }
    if action not in verbs:
        return _user(user_id, BadRequest(f"action is one of password, {', '.join(verbs)}"))
    if problem := attempted(verbs[action]):
        return _user(user_id, problem)
    return go("/admin/users" if action == "delete" else f"/admin/users/{user_id}")


def _reset(who: Principal, user_id: int) -> tuple[str, Chosen]:
    user = service.get(user_id)
    if who.id == user_id:
        raise Forbidden(_("Change your own password at your account."))
    service.require_local(user)
    username = user.username
    chosen = _generated(username)
    service.set_password(who.name, user, chosen, temporary=True)
    return username, chosen


def _delete(who: Principal, user_id: int) -> None:
    user = service.get(user_id)
    if who.id == user_id:
        raise Forbidden("nobody can delete himself")
    if request.form.get("confirmation", "").strip() != user.username:
        raise BadRequest(_("What you wrote is not the name, so nothing was deleted."))
    service.delete(who.name, user)
