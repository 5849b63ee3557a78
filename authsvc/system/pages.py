"""What is found by a word, whether everything is there, and what a new installation lacks."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, current_app
from sqlalchemy import Select, or_, select

from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, let_go
from authsvc.core.names import is_tag
from authsvc.core.own import own
from authsvc.core.settings import Settings
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.guard import principal, require_sysadmin
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import Principal
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
_LIST = Permission(Resource.ARTIFACT, Action.LIST)
_DIGEST = re.compile(r"[0-9a-f]{6,64}")


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
        "repositories": [(one.name, _page_of(one.name)) for one in called],
        "artifacts": _tags(who, text) + _digests(who, text),
    }
    return found | _people(text) if who.is_sysadmin else found


def _page_of(repository: str, reference: str = "") -> str:
    project, _slash, path = repository.partition("/")
    return f"/projects/{project}/repositories/{path}{reference}"


def _tags(who: Principal, text: str) -> list[tuple[str, str]]:
    """`app:1.4` finds the tags that begin so, of repositories that are called anything like `app`."""
    called, colon, tag = text.rpartition(":")
    if not (called and colon and is_tag(tag)):
        return []
    names = {one.id: one.name for one in _first(repositories.in_reach(who, _LIST), Repository.name, called)}
    begun = select(Tag).where(Tag.repository_id.in_(names), Tag.name.startswith(tag, autoescape=True))
    found = db.session.scalars(begun.order_by(Tag.name, Tag.id).limit(_MOST + 1))
    return [(f"{names[one.repository_id]}:{one.name}", _page_of(names[one.repository_id], f":{one.name}")) for one in found]


def _digests(who: Principal, text: str) -> list[tuple[str, str]]:
    """The beginning of one finds it, with what is before the colon or without."""
    digits = text.removeprefix("sha256:")
    if not _DIGEST.fullmatch(digits):
        return []
    within = repositories.in_reach(who, _LIST).with_only_columns(Repository.id)
    begun = (Artifact.digest >= f"sha256:{digits}", Artifact.digest < f"sha256:{digits}z")  # behind every digit, in any collation
    named = select(Repository.name, Artifact.digest).join(Repository, Repository.id == Artifact.repository_id)
    found = named.where(*begun, Artifact.repository_id.in_(within)).order_by(Artifact.digest, Repository.name).limit(_MOST + 1)
    return [(f"{name}@{digest}", _page_of(name, f"@{digest}")) for name, digest in db.session.execute(found)]


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
