"""Robots: verbs and queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, delete, select

from authsvc.audit import service as audit
from authsvc.audit.changes import Changes, difference
from authsvc.configuration import service as configuration
from authsvc.core.db import db, hold, utcnow
from authsvc.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import EVERYWHERE, SYSTEM, Principal
from authsvc.robots import rules
from authsvc.robots.giving import require_giving
from authsvc.robots.models import Robot, RobotPermission
from authsvc.robots.rules import Grant, Wanted
from authsvc.secrets import service as secrets
from authsvc.secrets.models import Secret, SecretUse
from authsvc.secrets.rules import Kind
from authsvc.users.passwords import Chosen

LIVE_SECRETS = 2  # the old and the new one, while it is changed everywhere


def create(creator: Principal, level: str, wanted: Wanted, secret: Chosen | None = None) -> tuple[Robot, str]:
    """A robot and its secret, shown this once ("" if the caller chose it).

    Raises:
        BadRequest, Conflict
        NotFound: a project in its permissions.
        Denied: it would be more than its creator with the credential that he shows, or live longer.
    """
    rules.check(level, wanted)
    project_id = projects.get(wanted.project, is_name=True).id if level == "project" else SYSTEM
    if db.session.scalar(select(Robot.id).where(Robot.project_id == project_id, Robot.name == wanted.name)) is not None:
        raise Conflict(f"robot {wanted.name} exists already")
    robot = Robot(
        name=wanted.name,
        project_id=project_id,
        epoch=1,
        creator_type="robot" if creator.kind == "robot" else "user",
        creator_ref=creator.robot_id or creator.id,
        creation_time=utcnow(),
    )
    _apply(robot, creator, wanted)
    db.session.add(robot)
    db.session.flush()
    shown = _set(robot, secret)
    _record(creator.name, "create", robot)
    return robot, shown


def update(actor: Principal, robot: Robot, wanted: Wanted, *, disabled: bool) -> None:
    """Everything but name and level, which stay.

    Raises:
        BadRequest, NotFound
        Denied: as `create`.
    """
    if (wanted.name, wanted.project) != (robot.name, project_name(robot)):
        raise BadRequest("cannot update the level or name of robot")
    rules.check(robot.level, wanted)
    hold(robot)
    before = _held(robot)
    _apply(robot, actor, wanted)
    robot.disabled = disabled
    db.session.flush()
    _record(actor.name, "update", robot, difference(before, _held(robot)))


def set_disabled(actor: Principal, robot: Robot, disabled: bool) -> None:
    """Disable or enable, and nothing else.

    Raises:
        Denied: to enable it gives what it holds.
    """
    hold(robot)
    if not disabled:
        require_giving(actor, robot)
    robot.disabled = disabled
    _record(actor.name, "update", robot)


def _apply(robot: Robot, giver: Principal, wanted: Wanted) -> None:
    given: dict[int, frozenset[Permission]] = {}
    for grant in wanted.grants:
        place = _place(grant)
        given[place] = given.get(place, frozenset()) | _implied(robot, grant.access)
    robot.description = wanted.description
    robot.duration = wanted.duration
    robot.expires_at = None if wanted.duration == -1 else robot.creation_time + timedelta(days=wanted.duration)
    robot.permissions = [
        RobotPermission(place=place, resource=permission.resource, action=permission.action)
        for place, access in given.items()
        for permission in sorted(access)
    ]
    require_giving(giver, robot)


def _implied(robot: Robot, access: frozenset[Permission]) -> frozenset[Permission]:
    """A project's robot that may push may pull there (Harbor), since clients ask for both to push."""
    push, pull = (Permission(Resource.REPOSITORY, action) for action in (Action.PUSH, Action.PULL))
    return access | {pull} if robot.project_id and push in access else access


def _place(grant: Grant) -> int:
    """Where the permissions hold."""
    if grant.kind == "system":
        return SYSTEM
    return EVERYWHERE if grant.namespace == "*" else projects.get(grant.namespace, is_name=True).id


def delete_robot(actor: str, robot: Robot) -> None:
    """Delete a robot with its secrets, and the robots that it has made: felt in every process before its next answer."""
    hold(robot)
    made_by_it = select(Robot).where(Robot.creator_type == "robot", Robot.creator_ref == robot.id).order_by(Robot.id)
    for child in db.session.scalars(made_by_it).all():
        delete_robot(actor, child)
    _record(actor, "delete", robot)
    db.session.execute(delete(Secret).where(Secret.owner_kind == "robot", Secret.owner_id == robot.id))
    db.session.delete(robot)


def delete_of_project(actor: str, project_id: int) -> None:
    """Delete the robots of a project that goes."""
    while robot := db.session.scalar(select(Robot).where(Robot.project_id == project_id).order_by(Robot.id).limit(1)):
        delete_robot(actor, robot)
        db.session.flush()


# -- secrets -------------------------------------------------------------------------------------------------------


def refresh_secret(giver: Principal, robot: Robot, secret: Chosen | None = None) -> str:
    """A new secret in the place of all others (Harbor's PATCH); "" if the caller chose it.

    Raises:
        Denied: the robot is more than who would get its secret, or lives longer.
    """
    hold(robot)
    require_giving(giver, robot)
    robot.epoch += 1
    secrets.revoke_all("robot", robot.id, [Kind.ROBOT])
    shown = _set(robot, secret)
    _record(giver.name, "update", robot)
    return shown


def add_secret(giver: Principal, robot: Robot) -> tuple[str, Secret]:
    """A second secret beside the first: to change it where it is used, and to revoke the first one then.

    Raises:
        PreconditionFailed: there are two already.
        Denied: the robot is more than who would get its secret, or lives longer.
    """
    hold(robot)
    require_giving(giver, robot)
    if len(db.session.execute(live_secrets(robot)).all()) >= LIVE_SECRETS:
        raise PreconditionFailed(f"a robot has at most {LIVE_SECRETS} secrets: revoke one first")
    _record(giver.name, "update", robot)
    return secrets.issue(Kind.ROBOT, robot.id, robot.epoch, owner_kind="robot")


def live_secrets(robot: Robot) -> Select[Secret, SecretUse]:
    """(secret, use) pairs."""
    return secrets.of_owner("robot", robot.id, Kind.ROBOT).where(Secret.epoch == robot.epoch)


def _set(robot: Robot, secret: Chosen | None) -> str:
    robot.secret_hash = secret.hash if secret else None
    return "" if secret else secrets.issue(Kind.ROBOT, robot.id, robot.epoch, owner_kind="robot")[0]


# -- finding -------------------------------------------------------------------------------------------------------


def get(robot_id: int) -> Robot:
    """A robot by id.

    Raises:
        NotFound
    """
    robot = db.session.get(Robot, robot_id)
    if robot is None:
        raise NotFound(f"robot {robot_id} not found")
    return robot


def find(login: str, start: str = "") -> Robot | None:
    """The robot that logs in by this name or its alias, or None. `start`: the prefix, if it is known."""
    split = rules.split_name(start or prefix(), login)
    if split is None:
        return None
    project, name = split
    statement = select(Robot).where(Robot.name == name, Robot.project_id == SYSTEM)
    if project:
        statement = select(Robot).join(Project, Project.id == Robot.project_id).where(Robot.name == name, Project.name == project)
    robot: Robot | None = db.session.scalar(statement)
    return robot


def of_place(project_id: int) -> Select[Any]:
    """The robots of a project, or of the system level (`SYSTEM`)."""
    return select(Robot).where(Robot.project_id == project_id)


def prefix() -> str:
    """What robots' names begin with."""
    return str(configuration.value("robot_name_prefix"))


def project_name(robot: Robot) -> str:
    """The name of its project; "" at system level."""
    return projects.get(str(robot.project_id)).name if robot.project_id else ""


def name_of(robot: Robot) -> str:
    """The full name."""
    return rules.full_name(prefix(), project_name(robot), robot.name)


def described(robots: Iterable[Robot]) -> list[dict[str, Any]]:
    """Robots in Harbor's terms, with two queries for all of them."""
    robots = list(robots)
    ids = {robot.project_id for robot in robots} | {entry.place for robot in robots for entry in robot.permissions}
    rows = db.session.execute(select(Project.id, Project.name).where(Project.id.in_(ids)))
    named = {row.id: row.name for row in rows}
    start = prefix()
    return [_described(robot, start, named.get) for robot in robots]


def _described(robot: Robot, start: str, name: Callable[[int, str], str]) -> dict[str, Any]:
    places: dict[int, list[dict[str, str]]] = {}
    for entry in robot.permissions:
        places.setdefault(entry.place, []).append({"resource": entry.resource, "action": entry.action})
    expires_at = int(robot.expires_at.timestamp()) if robot.expires_at else -1
    return {
        "id": robot.id,
        "name": rules.full_name(start, name(robot.project_id, ""), robot.name),
        "description": robot.description,
        "level": robot.level,
        "duration": robot.duration,
        "editable": True,
        "disable": robot.disabled,
        "expires_at": expires_at,
        "permissions": [
            {
                "kind": "system" if place == SYSTEM else "project",
                "namespace": {SYSTEM: "/", EVERYWHERE: "*"}.get(place) or name(place, f"#{place}"),
                "access": access,
            }
            for place, access in places.items()
        ],
        "creator_type": "robot" if robot.creator_type == "robot" else "local",
        "creator_ref": robot.creator_ref,
        "creation_time": robot.creation_time,
        "update_time": robot.update_time,
    }


def _held(robot: Robot) -> dict[str, list[str]]:
    """The permissions as the audit log tells them: place, resource, action."""
    return {"permissions": sorted(f"{entry.place}:{entry.resource}:{entry.action}" for entry in robot.permissions)}


def _record(actor: str, operation: str, robot: Robot, changes: Changes | None = None) -> None:
    audit.record(actor, operation, "robot", name_of(robot), project_id=robot.project_id or None, changes=changes)
