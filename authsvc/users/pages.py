"""My account."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, request

from authsvc.authn import session
from authsvc.authn.lockout import require_own_password
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, DomainError
from authsvc.core.repeat import outside
from authsvc.rbac.authority import Door
from authsvc.rbac.guard import require_person
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, go, page
from authsvc.users import service
from authsvc.users.passwords import MIN_LENGTH, choose

blueprint = Pages("account", __name__)


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
