"""Robots, of a project or of the system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from authsvc.configuration import service as configuration
from authsvc.core.db import db
from authsvc.declared.document import Item
from authsvc.declared.places import Kind, Place
from authsvc.robots import giving
from authsvc.robots import service as robots
from authsvc.robots.models import Robot
from authsvc.robots.schemas import RobotCreateSchema
from authsvc.robots.schemas import wanted as wanted_robot


class Robots(Kind):
    name, one, schema = "robots", "robot", RobotCreateSchema(exclude=["level"])

    def key(self, item: Item) -> str:
        return str(item["name"])

    def normal(self, place: Place, item: Item) -> Item:
        duration = item["duration"] if item["duration"] is not None else configuration.value("robot_token_duration")
        shown = {"name": item["name"], "description": item["description"], "duration": duration, "disable": item["disable"]}
        return shown | {"permissions": self._permissions(place, item["permissions"])}

    def _permissions(self, place: Place, given: Sequence[Mapping[str, Any]]) -> list[Item]:
        """In one order; of a project's robot who may push may pull."""
        merged: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for entry in given:
            access = merged.setdefault((str(entry["kind"]), str(entry["namespace"])), set())
            access |= {(one["resource"], one["action"]) for one in entry["access"]}
            if place.project and ("repository", "push") in access:
                access.add(("repository", "pull"))
        return [
            {
                "kind": kind,
                "namespace": namespace,
                "access": [{"resource": resource, "action": action} for resource, action in sorted(access)],
            }
            for (kind, namespace), access in sorted(merged.items())
        ]

    def present(self, place: Place) -> dict[str, Item]:
        rows = list(db.session.scalars(robots.of_place(place.id).order_by(Robot.name)))
        shown = zip(rows, robots.described(rows), strict=True)
        return {row.name: self.normal(place, {**said, "name": row.name}) for row, said in shown}

    def ready(self, place: Place, item: Item) -> None:
        item["secret"] = giving.choose(item["secret"])

    def make(self, place: Place, item: Item) -> str:
        level, project = ("project", place.project) if place.project else ("system", "")
        robot, secret = robots.create(place.giver, level, wanted_robot(item, project), item["secret"])
        robot.disabled = item["disable"]
        return secret

    def change(self, place: Place, item: Item) -> None:
        wanted = wanted_robot(item, place.project)
        robots.update(place.giver, self._row(place, item["name"]), wanted, disabled=item["disable"])

    def remove(self, place: Place, key: str) -> None:
        robots.delete_robot(place.giver.name, self._row(place, key))

    def _row(self, place: Place, key: str) -> Robot:
        row: Robot = db.session.scalars(robots.of_place(place.id).where(Robot.name == key)).one()
        return row
