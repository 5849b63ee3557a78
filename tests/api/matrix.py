"""One world for many requests by every kind of caller, none of which leaves a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from authsvc.rbac.robots import PROJECT_CATALOGUE, SYSTEM_CATALOGUE
from authsvc.rbac.roles import Role
from authsvc.robots import service as robots
from authsvc.robots.rules import Grant, Wanted
from tests.api import operations as ops
from tests.api.objects import CREATOR, Place
from tests.api.operations import OPERATIONS, Operation
from tests.support.registry import PlainRegistry
from tests.support.world import World, basic


@dataclass
class Matrix:
    """One world for many requests, none of which leaves a trace."""

    world: World
    here: Place
    elsewhere: Place
    headers: dict[str, dict[str, str]]

    def ask(self, operation: Operation, column: str, place: Place | None = None, **options: Any) -> TestResponse:
        """An operation as the caller of a column, in his place unless another is given."""
        at = place or (self.elsewhere if column.endswith(" elsewhere") else self.here)
        path = options.pop("path", None) or at.fill(operation.path)
        query = f"?{at.fill(operation.query)}" if operation.query else ""
        if operation.body is not None:
            options.setdefault("json", at.body(operation.body))
        headers = self.headers[column] | options.pop("headers", {})
        with self.world.undone():
            return self.world.api(operation.method, f"{path}{query}", headers=headers, **options)


def _robot(world: World, level: str, project: str, *grants: Grant) -> dict[str, str]:
    with world.changes():
        robot, secret = robots.create(CREATOR, level, Wanted("all", project, "", -1, grants))
        return basic(robots.name_of(robot), secret)


def _headers(world: World, here: Place) -> dict[str, dict[str, str]]:
    """An Authorization header for the caller of each column."""
    headers: dict[str, dict[str, str]] = {ops.ANONYMOUS: {}, ops.ADMIN: basic("admin"), ops.USER: basic("plain")}
    world.user("plain")
    for role in Role:
        world.user(role.label)
        world.member(here.project, role.label, role)
        headers[f"{role.label} here"] = headers[f"{role.label} elsewhere"] = basic(role.label)
    of_project = Grant("project", here.project, frozenset(PROJECT_CATALOGUE))
    headers[ops.ROBOT_HERE] = headers[ops.ROBOT_ELSEWHERE] = _robot(world, "project", here.project, of_project)
    of_system = Grant("system", "/", frozenset(SYSTEM_CATALOGUE)), Grant("project", "*", frozenset(PROJECT_CATALOGUE))
    headers[ops.SYSTEM_ROBOT] = _robot(world, "system", "", *of_system)
    return headers


def build(world: World, registry: PlainRegistry) -> Matrix:
    """Two projects with one of everything, and a caller for each column."""
    for name in ("admin", "owner", "newcomer"):
        world.user(name, sysadmin=name == "admin")
    here, elsewhere = (Place(world, registry, name) for name in ("here", "elsewhere"))
    for place in (here, elsewhere):
        world.project(place.project, 2)
        for operation in OPERATIONS:
            place.fill(operation.path)
            place.body([operation.query, operation.body])
    return Matrix(world, here, elsewhere, _headers(world, here))
