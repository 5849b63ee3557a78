"""The shell of the pages: who is logged in and how a page is made, refused or sent elsewhere. Rooms have their own `pages.py`
and `templates/`, and make their blueprint here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app, g, make_response, redirect, render_template, request

from authsvc import __version__
from authsvc.configuration import service as configuration
from authsvc.core.db import db
from authsvc.core.errors import STATUS, BadRequest, DomainError, PasswordChangeRequired, Unauthenticated
from authsvc.core.settings import Settings
from authsvc.core.text import is_storable
from authsvc.core.web import ERROR_PAGE
from authsvc.rbac.guard import principal
from authsvc.rbac.principal import ANONYMOUS
from authsvc.ui import files, language

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "theme"
_READS = ("GET", "HEAD")


class Pages(Blueprint):
    """Pages of a room, with its own templates. What is refused there is said by a page; whoever is not logged in is asked to."""

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(f"{name}_pages", import_name, template_folder="templates", **options)


def init(app: Flask) -> None:
    """Let pages look alike."""
    language.init(app)
    files.init(app)
    app.context_processor(_around)
    app.extensions[ERROR_PAGE] = error_page


def is_page() -> bool:
    """Whether this request is for a page of ours, or a browser's for what does not exist."""
    if request.blueprint is not None:
        return isinstance(current_app.blueprints.get(request.blueprint), Pages)
    return request.accept_mimetypes.best == "text/html"


def page(template: str, *, status: int | None = None, problem: DomainError | None = None, **shown: Any) -> Response:
    """A page; with a `problem`, a form that says why nothing came of it."""
    said = problem.message if problem else ""
    return make_response(render_template(template, problem=said, **shown), status or (STATUS[problem.code] if problem else 200))


def fields(longest: Mapping[str, int]) -> dict[str, str]:
    """What a form says in fields of at most so many characters each, without spaces around it; "" where it says nothing.

    Raises:
        BadRequest
    """
    said = request.args if request.method in _READS else request.form
    given = {name: said.get(name, "").strip() for name in longest}
    for name, value in given.items():
        if len(value) > longest[name] or not is_storable(value):
            raise BadRequest(f"{name} has at most {longest[name]} characters, and none that cannot be stored")
    return given


def attempted(action: Callable[[], object]) -> DomainError | None:
    """Do what a form asks for, as a whole; or say why not, with nothing changed."""
    try:
        action()
        db.session.commit()
    except DomainError as error:
        db.session.rollback()
        return error
    return None


def go(path: str) -> Response:
    """To another page, by GET."""
    return make_response(redirect(path, 302 if request.method in _READS else 303))


def error_page(status: int, code: str, message: str, error: DomainError | None) -> Response | None:
    """What a refusal looks like to people; None where a program asks."""
    if not is_page():
        return None
    if isinstance(error, PasswordChangeRequired):
        return go("/account/password")
    if isinstance(error, Unauthenticated) and request.method in _READS:
        return go(f"/sign-in?next={quote(_here())}")
    g.alone = True  # perhaps nothing can be looked up at this moment, and a page of an error must not make another
    return page("error.html", status=status, code=status, message=message, request_id=g.get("request_id", ""))


def _around() -> dict[str, Any]:
    """What every page shows."""
    settings: Settings = current_app.config["TIDEGATE"]
    theme = request.cookies.get(THEME_COOKIE, "")
    return {
        "registry_host": settings.registry_host,
        "version": __version__,
        "who": principal() if "principal" in g else ANONYMOUS,
        "here": _here(),
        "language": language.current(),
        "languages": language.NAMES,
        "theme": theme if theme in THEMES else "auto",
    } | ({} if g.get("alone") else _notices())


def _notices() -> dict[str, Any]:
    """What an administrator wants everybody to know. Source: Harbor's `banner_message`, a JSON object as text."""
    configured = configuration.values()
    said = json.loads(configured["banner_message"] or "{}").get("message", "")
    return {"banner": said if isinstance(said, str) else "", "read_only": configured["read_only"]}


def _here() -> str:
    """The path of this page, to come back to; the front page where it was not asked for by GET."""
    return request.full_path.rstrip("?") if request.method in _READS else "/"
