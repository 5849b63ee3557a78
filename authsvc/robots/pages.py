"""Robots of a project or of the whole registry: who logs in from a machine, what with, and a secret that is shown once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, request
from sqlalchemy import func, select

from authsvc.configuration import service as configuration
from authsvc.core.db import db, utcnow
from authsvc.core.errors import BadRequest, DomainError, NotFound
from authsvc.core.settings import Settings
from authsvc.projects.access import load
from authsvc.projects.frame import frame, role_lacking
from authsvc.projects.models import Project
from authsvc.rbac.guard import require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import SYSTEM, Principal
from authsvc.robots import connection, rules, service
from authsvc.robots.connection import Login
from authsvc.robots.models import Robot
from authsvc.robots.rules import Grant, Wanted
from authsvc.secrets.models import Secret, SecretUse
from authsvc.ui import listing
from authsvc.ui.language import gettext as _
from authsvc.ui.shell import Pages, attempted, fields, go, page

blueprint = Pages("robots", __name__)
COLUMNS = {"name": Robot.name, "created": Robot.creation_time, "expires": Robot.expires_at}
# What the form offers; the API gives anything else.
DUTIES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "pull": (("repository", "pull"),),
        "push": (("repository", "pull"), ("repository", "push")),
        "delete": (
            *(("repository", action) for action in ("pull", "push", "list", "delete")),
            *(("artifact", action) for action in ("read", "list", "delete")),
            *(("tag", action) for action in ("list", "delete")),
        ),
    }
)
_LONGEST = {"name": 255, "description": 1024, "duty": 16, "projects": 8192}
_MOST_PROJECTS = 100
_DIGITS = 6


@blueprint.get("/projects/<name>/robots")
@blueprint.get("/admin/robots")
def show_robots(name: str = "") -> Response:
    return _robots(name)


def _load(name: str, action: Action) -> tuple[Principal, Project | None]:
    """Who asks, and the project of that name; without one they are the registry's own robots."""
    return load(name, action, Resource.ROBOT, is_name=True) if name else (require_system(action, Resource.ROBOT), None)


def _frame(who: Principal, project: Project | None) -> dict[str, Any]:
    around = frame(who, project) | {"around": "project_frame.html"} if project else {"around": "admin_frame.html"}
    return around | {"there": _there(project.name if project else "")}


def _there(name: str) -> str:
    return f"/projects/{quote(name, safe='')}/robots" if name else "/admin/robots"


def _robots(name: str, problem: DomainError | None = None) -> Response:
    who, project = _load(name, Action.LIST)
    asked, statement = listing.asked(COLUMNS), service.of_place(project.id if project else SYSTEM)
    if asked.search:
        statement = statement.where(Robot.name.icontains(asked.search, autoescape=True))
    shown = listing.part(statement, asked, COLUMNS, [Robot.name])
    described = {one["id"]: one for one in service.described(shown.rows)}
    return page(
        "robots.html",
        **_frame(who, project),
        listing=shown,
        problem=problem,
        given=request.form,
        lacking=role_lacking(who, Action.CREATE, Resource.ROBOT, project) if project else None,
        full_names={id_: one["name"] for id_, one in described.items()},
        access={id_: _access(one["permissions"], of_project=project is not None) for id_, one in described.items()},
        used=_last_used([robot.id for robot in shown.rows]),
        duties=[*DUTIES],
        days=configuration.value("robot_token_duration"),
        now=utcnow(),
    )


def _access(permissions: Iterable[Mapping[str, Any]], *, of_project: bool) -> list[str]:
    """What a robot may, and where, unless that is the project that it is of."""
    return sorted(
        f"{'' if of_project else entry['namespace'] + ' '}{one['resource']}:{one['action']}"
        for entry in permissions
        for one in entry["access"]
    )


def _last_used(ids: list[int]) -> dict[int, Any]:
    """When each of these robots logged in last, of those that have."""
    used = (
        select(Secret.owner_id, func.max(SecretUse.last_used_at))
        .join(SecretUse, SecretUse.secret_id == Secret.id)
        .where(Secret.owner_kind == "robot", Secret.owner_id.in_(ids))
        .group_by(Secret.owner_id)
    )
    return {id_: at for id_, at in db.session.execute(used)}  # noqa: C416 - rows are no pairs


@blueprint.post("/projects/<name>/robots")
@blueprint.post("/admin/robots")
def create_robot(name: str = "") -> Response:
    who, project = _load(name, Action.CREATE)
    return _with_secret(name, lambda: service.create(who, "project" if project else "system", _wanted(name)))


def _wanted(project: str) -> Wanted:
    """What the form asks for.

    Raises:
        BadRequest
    """
    given = fields(_LONGEST)
    if given["duty"] not in DUTIES:
        raise BadRequest(f"duty is one of {', '.join(DUTIES)}")
    access = rules.parse_access("project", DUTIES[given["duty"]])
    places = [project] if project else list(dict.fromkeys(given["projects"].split()))
    if not 1 <= len(places) <= _MOST_PROJECTS:
        raise BadRequest(_("Name the projects where it may do that, at most 100, or * for all."))
    grants = tuple(Grant("project", place, access) for place in places)
    return Wanted(given["name"], project, given["description"], _days(), grants)


def _days() -> int:
    """How long it lives; an empty field: for ever."""
    given = request.form.get("days", "").strip()
    if not given:
        return -1
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        raise BadRequest(_("How many days it lives is a number, or empty: for ever."))
    return int(given)


def _with_secret(name: str, make: Callable[[], tuple[Robot, str]]) -> Response:
    """Carry out what gives a robot a secret, and show that, this once."""
    made: list[tuple[str, str]] = []

    def make_it() -> None:
        robot, secret = make()
        made.append((service.name_of(robot), secret))

    if problem := attempted(make_it):
        return _robots(name, problem)
    who, project = _load(name, Action.LIST)
    (full_name, secret) = made[-1]
    connect = _connect(name or "PROJECT", full_name, secret)
    return page("robot_secret.html", **_frame(who, project), full_name=full_name, secret=secret, connect=connect)


@blueprint.get("/projects/<name>/connect")
def show_connection(name: str) -> Response:
    """What to paste, as whoever looks would log in, or as a robot that is made there."""
    who, project = load(name, Action.LIST, Resource.REPOSITORY, is_name=True)
    settings: Settings = current_app.config["TIDEGATE"]
    return page(
        "connect.html",
        **frame(who, project),
        connect=_connect(project.name, who.name if who.is_authenticated else _("USER")),
        own_certificate=settings.own_authority,
        lacking=role_lacking(who, Action.CREATE, Resource.ROBOT, project),
        duties=[*DUTIES],
        days=configuration.value("robot_token_duration"),
    )


def _connect(project: str, username: str, secret: str = connection.PASSWORD) -> dict[str, Any]:
    """By kind and tool."""
    settings: Settings = current_app.config["TIDEGATE"]
    login = Login(settings.registry_host, project, username, secret, settings.own_authority)
    return {
        kind.__name__: kind(login) for kind in (connection.clients, connection.machines, connection.pipelines, connection.keyless)
    }


@blueprint.post("/projects/<name>/robots/<int:robot_id>")
@blueprint.post("/admin/robots/<int:robot_id>")
def change_robot(robot_id: int, name: str = "") -> Response:
    """Disable it, enable it, give it another secret, or delete it."""
    action = request.form.get("action", "")
    who, project = _load(name, Action.DELETE if action == "delete" else Action.UPDATE)
    if action == "secret":
        return _with_secret(name, lambda: _renewed(who, _of(project, robot_id)))
    verbs: dict[str, Callable[[], None]] = {
        "disable": lambda: service.set_disabled(who, _of(project, robot_id), True),
        "enable": lambda: service.set_disabled(who, _of(project, robot_id), False),
        "delete": lambda: service.delete_robot(who.name, _of(project, robot_id)),
    }
    if action not in verbs:
        return _robots(name, BadRequest(f"action is one of secret, {', '.join(verbs)}"))
    problem = attempted(verbs[action])
    return _robots(name, problem) if problem else go(_there(name))


def _renewed(who: Principal, robot: Robot) -> tuple[Robot, str]:
    return robot, service.refresh_secret(who, robot)


def _of(project: Project | None, robot_id: int) -> Robot:
    """A robot of a project, or of the whole registry.

    Raises:
        NotFound
    """
    robot = db.session.get(Robot, robot_id)
    if robot is None or robot.project_id != (project.id if project else SYSTEM):
        raise NotFound(f"robot {robot_id} not found")
    return robot
