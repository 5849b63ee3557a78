"""What belongs to no room: the front page, the API's, and how pages look to whoever is in front of them."""

from __future__ import annotations

from flask import Response, current_app, request

from authsvc.authn.session import require_same_origin
from authsvc.core.errors import BadRequest
from authsvc.core.settings import Settings
from authsvc.core.text import own_path
from authsvc.rbac.guard import principal
from authsvc.ui import language
from authsvc.ui.shell import THEME_COOKIE, THEMES, Pages, go, page

blueprint = Pages("shell", __name__)
_A_YEAR = 365 * 24 * 3600


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
    """Another language or theme, kept by the browser: it is nobody's secret, and known before anybody has logged in."""
    require_same_origin(request)
    response = go(own_path(request.form.get("next", "/")))
    for name, values in ((language.COOKIE, language.LANGUAGES), (THEME_COOKIE, THEMES)):
        if (chosen := request.form.get(name)) is None:
            continue
        if chosen not in values:
            raise BadRequest(f"{name} is one of {', '.join(values)}")
        secure = current_app.config["TIDEGATE"].external_url.startswith("https:")
        response.set_cookie(name, chosen, max_age=_A_YEAR, httponly=True, samesite="Lax", secure=secure)
    return response
