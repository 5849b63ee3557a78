"""Robots, by Harbor's paths; several secrets for one robot beyond Harbor's API."""

from typing import Any

from marshmallow import fields

from authsvc.configuration import service as configuration
from authsvc.core.api import Blueprint, ListArguments, page_of
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import Exact, filtered, ordered, parse_q
from authsvc.core.repeat import outside
from authsvc.projects import service as projects
from authsvc.projects.access import load
from authsvc.rbac.guard import require, require_system
from authsvc.rbac.permissions import Action, Resource
from authsvc.rbac.principal import SYSTEM, Principal
from authsvc.robots import giving, rules, service
from authsvc.robots.models import Robot
from authsvc.robots.rules import Grant, Wanted
from authsvc.robots.schemas import (
    RobotCreatedSchema,
    RobotCreateSchema,
    RobotCreateV1Schema,
    RobotDisableSchema,
    RobotSchema,
    RobotSecretCreatedSchema,
    RobotSecretSchema,
    RobotSecSchema,
    RobotUpdateSchema,
    wanted,
)
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind

blueprint = Blueprint("robot", __name__, url_prefix="/robots", description="Accounts for machines")
v1_blueprint = Blueprint("robotv1", __name__, url_prefix="/projects", description="Accounts for machines, Harbor's older way")

COLUMNS = {
    "id": Robot.id,
    "name": Robot.name,
    "description": Robot.description,
    "disabled": Robot.disabled,
    "creation_time": Robot.creation_time,
    "update_time": Robot.update_time,
}
PLACE = ("Level", "ProjectID")  # whose robots


class RobotListArguments(ListArguments):
    q = fields.String(load_default="", metadata={"description": "Level=project,ProjectID=1 for a project's; else system level"})


def _allowed(action: Action, project_id: int) -> Principal:
    """The caller, if he may do this with the robots of a project or of the system level."""
    if project_id == SYSTEM:
        return require_system(action, Resource.ROBOT)
    return require(action, Resource.ROBOT, projects.find_ref(str(project_id)))


def _load(action: Action, robot_id: int) -> tuple[Principal, Robot]:
    robot = db.session.get(Robot, robot_id)
    place = projects.find_ref(str(robot.project_id)) if robot is not None and robot.project_id else None
    # In the same words whether it is somebody else's or nobody's.
    return require(action, Resource.ROBOT, place), service.get(robot_id)


def _project_of(body: dict[str, Any]) -> str:
    """The project that a new robot of level project is for: the one of its only permission."""
    namespaces = [entry["namespace"] for entry in body["permissions"]]
    if len(namespaces) != 1 or namespaces[0] in ("*", "/", ""):
        raise BadRequest("a robot of a project has exactly one permission entry, of kind project and with that project's name")
    return str(namespaces[0])


def _created(robot: Robot, secret: str) -> Any:
    described = service.described([robot])[0]
    return described | {"secret": secret}, 201, {"Location": f"/api/v2.0/robots/{robot.id}"}


@blueprint.get("")
@blueprint.arguments(RobotListArguments, location="query")
@blueprint.response(200, RobotSchema(many=True))
def list_robots(arguments: dict[str, Any]) -> Any:
    project_id = _asked_place(arguments["q"])
    _allowed(Action.LIST, project_id)
    statement = filtered(service.of_place(project_id), arguments["q"], COLUMNS, PLACE)
    rows, headers = page_of(ordered(statement, arguments["sort"], COLUMNS, [Robot.name]), arguments)
    return service.described(rows), headers


def _asked_place(q: str) -> int:
    asked = {key: match.value for key, match in parse_q(q).items() if isinstance(match, Exact)}
    if asked.get("level", "system") != "project":
        return SYSTEM
    project_id = asked.get("projectid", "")
    if not (project_id.isascii() and project_id.isdigit() and 0 < int(project_id) < 2**63):
        raise BadRequest("must with project ID when to query project robots")
    return int(project_id)


@blueprint.post("")
@blueprint.arguments(RobotCreateSchema)
@blueprint.response(201, RobotCreatedSchema)
def create_robot(body: dict[str, Any]) -> Any:
    project = _project_of(body) if body["level"] == "project" else ""
    found = projects.find_ref(project, is_name=True) if project else None
    who = require(Action.CREATE, Resource.ROBOT, found) if project else require_system(Action.CREATE, Resource.ROBOT)
    chosen = outside("secret", lambda: giving.choose(body["secret"]))
    robot, secret = service.create(who, body["level"], wanted(body, project), chosen)
    robot.disabled = body["disable"]
    answer = _created(robot, secret)
    db.session.commit()
    return answer


@blueprint.get("/<int:robot_id>")
@blueprint.response(200, RobotSchema)
def get_robot(robot_id: int) -> Any:
    _, robot = _load(Action.READ, robot_id)
    return service.described([robot])[0]


@blueprint.put("/<int:robot_id>")
@blueprint.arguments(RobotUpdateSchema)
@blueprint.response(200)
def update_robot(body: dict[str, Any], robot_id: int) -> None:
    who, robot = _load(Action.UPDATE, robot_id)
    if body["level"] != robot.level or body["id"] not in (None, robot_id):
        raise BadRequest("cannot update the level, name or id of robot")
    split = rules.split_name(service.prefix(), body["name"])
    if split != (service.project_name(robot), robot.name):
        raise BadRequest("cannot update the level or name of robot")
    service.update(who, robot, wanted(body | {"name": robot.name}, split[0]), disabled=body["disable"])
    db.session.commit()


@blueprint.patch("/<int:robot_id>")
@blueprint.arguments(RobotSecSchema)
@blueprint.response(200, RobotSecSchema)
def refresh_secret(body: dict[str, Any], robot_id: int) -> Any:
    who, robot = _load(Action.UPDATE, robot_id)
    chosen = outside("secret", lambda: giving.choose(body["secret"]))
    secret = service.refresh_secret(who, robot, chosen)
    db.session.commit()
    return {"secret": secret}


@blueprint.delete("/<int:robot_id>")
@blueprint.response(200)
def delete_robot(robot_id: int) -> None:
    who, robot = _load(Action.DELETE, robot_id)
    service.delete_robot(who.name, robot)
    db.session.commit()


@blueprint.get("/<int:robot_id>/secrets")
@blueprint.response(200, RobotSecretSchema(many=True))
def list_robot_secrets(robot_id: int) -> Any:
    """The live secrets of a robot and their last use (beyond Harbor's API)."""
    _, robot = _load(Action.READ, robot_id)
    return [secrets.described(row) for row in db.session.execute(service.live_secrets(robot))]


@blueprint.post("/<int:robot_id>/secrets")
@blueprint.response(201, RobotSecretCreatedSchema)
def add_robot_secret(robot_id: int) -> Any:
    """A second secret beside the first, to change over without a pause (beyond Harbor's API)."""
    who, robot = _load(Action.UPDATE, robot_id)
    secret, row = service.add_secret(who, robot)
    secret_id = row.id
    db.session.commit()
    return {"id": secret_id, "secret": secret}, 201, {"Location": f"/api/v2.0/robots/{robot_id}/secrets/{secret_id}"}


@blueprint.delete("/<int:robot_id>/secrets/<int:secret_id>")
@blueprint.response(200)
def revoke_robot_secret(robot_id: int, secret_id: int) -> None:
    """Revoke one secret of a robot (beyond Harbor's API)."""
    who, robot = _load(Action.UPDATE, robot_id)
    secrets.revoke(who.name, "robot", robot_id, service.name_of(robot), secret_id, Kind.ROBOT)
    db.session.commit()


# -- Harbor's older paths, below a project ---------------------------------------------------------------------------


def _load_v1(project: str, action: Action, robot_id: int) -> tuple[Principal, Robot]:
    who, found = load(project, action, Resource.ROBOT)
    robot = service.get(robot_id)
    if robot.project_id != found.id:
        service.get(0)  # not of this project: as if there were none
    return who, robot


@v1_blueprint.get("/<project_name_or_id>/robots")
@v1_blueprint.arguments(ListArguments, location="query")
@v1_blueprint.response(200, RobotSchema(many=True))
def list_robots_v1(arguments: dict[str, Any], project_name_or_id: str) -> Any:
    _, project = load(project_name_or_id, Action.LIST, Resource.ROBOT)
    statement = filtered(service.of_place(project.id), arguments["q"], COLUMNS, PLACE)
    rows, headers = page_of(ordered(statement, arguments["sort"], COLUMNS, [Robot.name]), arguments)
    return service.described(rows), headers


@v1_blueprint.post("/<project_name_or_id>/robots")
@v1_blueprint.arguments(RobotCreateV1Schema)
@v1_blueprint.response(201, RobotCreatedSchema)
def create_robot_v1(body: dict[str, Any], project_name_or_id: str) -> Any:
    who, project = load(project_name_or_id, Action.CREATE, Resource.ROBOT)
    access = rules.parse_access("project", ((entry["resource"].rpartition("/")[2], entry["action"]) for entry in body["access"]))
    duration = body["expires_at"] if body["expires_at"] > 0 else configuration.value("robot_token_duration")
    wanted = Wanted(body["name"], project.name, body["description"], duration, (Grant("project", project.name, access),))
    robot, secret = service.create(who, "project", wanted)
    answer = _created(robot, secret)
    db.session.commit()
    return answer


@v1_blueprint.get("/<project_name_or_id>/robots/<int:robot_id>")
@v1_blueprint.response(200, RobotSchema)
def get_robot_v1(project_name_or_id: str, robot_id: int) -> Any:
    _, robot = _load_v1(project_name_or_id, Action.READ, robot_id)
    return service.described([robot])[0]


@v1_blueprint.put("/<project_name_or_id>/robots/<int:robot_id>")
@v1_blueprint.arguments(RobotDisableSchema)
@v1_blueprint.response(200)
def update_robot_v1(body: dict[str, Any], project_name_or_id: str, robot_id: int) -> None:
    who, robot = _load_v1(project_name_or_id, Action.UPDATE, robot_id)
    service.set_disabled(who, robot, body["disable"])
    db.session.commit()


@v1_blueprint.delete("/<project_name_or_id>/robots/<int:robot_id>")
@v1_blueprint.response(200)
def delete_robot_v1(project_name_or_id: str, robot_id: int) -> None:
    who, robot = _load_v1(project_name_or_id, Action.DELETE, robot_id)
    service.delete_robot(who.name, robot)
    db.session.commit()
