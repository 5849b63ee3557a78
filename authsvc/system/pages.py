"""What is found by a word, whether everything is there, and what a new installation lacks."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app
from sqlalchemy import Select, or_, select

from authsvc.core.db import db, let_go
from authsvc.core.own import own
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.guard import principal, require_sysadmin
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from authsvc.robots import connection
from authsvc.robots import rules as robots
from authsvc.robots.models import Robot
from authsvc.system import health
from authsvc.system.first_steps import first_steps
from authsvc.ui.shell import Pages, fields, page
from authsvc.users import service as users
from authsvc.users.models import User

blueprint = Pages("system", __name__)
_MOST = 20  # of each kind
_LONGEST = 255


@blueprint.get("/search")
def search() -> Response:
    """Whatever is called so, of what one may see; people and robots are found by system administrators."""
    text = fields({"q": _LONGEST})["q"]
    return page("search.html", text=text, most=_MOST, found=_found(text) if text else {})


def _found(text: str) -> dict[str, list[tuple[str, str]]]:
    """(name, path of its page) by kind."""
    who = principal()
    places = _first(projects.readable_by(who), Project.name, text)
    called = _first(repositories.in_reach(who), Repository.name, text)
    found = {
        "projects": [(one.name, f"/projects/{one.name}") for one in places],
        "repositories": [(one.name, "/projects/{}/repositories/{}".format(*one.name.split("/", 1))) for one in called],
    }
    return found | _people(text) if who.is_sysadmin else found


def _people(text: str) -> dict[str, list[tuple[str, str]]]:
    named = or_(User.username.icontains(text, autoescape=True), User.email.icontains(text, autoescape=True))
    people = db.session.scalars(users.all_users().where(named).order_by(User.username).limit(_MOST + 1))
    machines = select(Robot, Project.name).outerjoin(Project, Project.id == Robot.project_id)
    machines = machines.where(Robot.name.icontains(text, autoescape=True)).order_by(Robot.name, Robot.id).limit(_MOST + 1)
    prefix = users.robot_prefix()
    return {
        "users": [(one.username, f"/admin/users/{one.id}") for one in people],
        "robots": [
            (
                robots.full_name(prefix, project or "", one.name),
                f"/projects/{project}/robots?search={one.name}" if project else f"/admin/robots?search={one.name}",
            )
            for one, project in db.session.execute(machines)
        ],
    }


def _first(statement: Select[Any], name: Any, text: str) -> list[Any]:
    """One more than are shown, so that it can be said that there are more."""
    return list(db.session.scalars(statement.where(name.icontains(text, autoescape=True)).order_by(name).limit(_MOST + 1)))


@blueprint.get("/admin/health")
def show_health() -> Response:
    """What the API's health says, with its warnings."""
    require_sysadmin()
    let_go()  # parts are asked over the network
    return page("health.html", parts=own(health.Looks).latest.get())


@blueprint.get("/admin/first-steps")
def show_first_steps() -> Response:
    """What is done, and how the rest is."""
    who = require_sysadmin()
    settings: Settings = current_app.config["TIDEGATE"]
    project = db.session.scalar(select(Project.name).order_by(Project.id.desc()).limit(1)) or "PROJECT"
    login = connection.Login(settings.registry_host, project, who.name)
    return page(
        "first_steps.html",
        steps=first_steps(settings),
        url=settings.external_url,
        push=connection.clients(login)["docker"][0].text,
        own_certificate=settings.own_authority,
    )
