"""What belongs to no room: the front page, the API's, and how pages look to whoever is in front of them."""

from __future__ import annotations

from collections.abc import Container

from flask import Response, current_app, request

from authsvc.authn.session import require_same_origin
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.settings import Settings
from authsvc.core.text import own_path
from authsvc.rbac.guard import principal
from authsvc.ui import language
from authsvc.ui.shell import THEME_COOKIE, THEMES, Pages, go, page
from authsvc.users import service as users

blueprint = Pages("shell", __name__)


@blueprint.get("/")
def front() -> Response:
    if principal().is_authenticated:
        return go("/projects")
    settings: Settings = current_app.config["TIDEGATE"]
    return page("front.html", own_certificate=settings.own_authority)


@blueprint.get("/api")
def api() -> Response:
    return page("api.html")


@blueprint.post("/look")
def look() -> Response:
    """Another language or theme, kept by the browser: it is nobody's secret, and known before anybody has logged in. Who is
    keeps the language also in the account, for other browsers."""
    require_same_origin(request)
    response, given = go(own_path(request.form.get("next", "/"))), request.form
    if (chosen := given.get(language.COOKIE)) is not None:
        language.choose(response, _one_of(language.COOKIE, chosen, language.LANGUAGES))
        if (who := principal()).id:
            users.set_language(who.id, chosen)
            db.session.commit()
    if (theme := given.get(THEME_COOKIE)) is not None:
        secure = current_app.config["TIDEGATE"].external_url.startswith("https:")
        value = _one_of(THEME_COOKIE, theme, THEMES)
        response.set_cookie(THEME_COOKIE, value, max_age=language.A_YEAR, httponly=True, samesite="Lax", secure=secure)
    return response


def _one_of(name: str, value: str, values: Container[str]) -> str:
    if value not in values:
        raise BadRequest(f"there is no {name} {value[:32]}")
    return value
