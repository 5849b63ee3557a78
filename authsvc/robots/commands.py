"""Robots on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from authsvc.core.clock import rfc3339
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.projects import service as projects
from authsvc.rbac.principal import SYSTEM, operator
from authsvc.robots import rules, service
from authsvc.robots.models import Robot
from authsvc.robots.rules import Grant, Wanted


@click.group("robots")
def robots() -> None:
    """Accounts for machines."""


def _find(name: str) -> Robot:
    robot = service.find(name)
    if robot is None:
        raise NotFound(f"robot {name} not found; names look like robot$project+name or robot-project+name")
    return robot


@robots.command("list")
@click.option("--project", help="of this project; else of the system level")
@output_option
@on_database
def list_robots(project: str | None, output: str) -> None:
    """Robots, with what they may do and until when."""
    place = projects.get_by_name(project).id if project else SYSTEM
    rows = service.described(db.session.scalars(service.of_place(place).order_by(Robot.name)))
    shown = ("id", "name", "disable", "expires_at", "permissions", "creation_time")
    show(({name: row[name] for name in shown} for row in rows), output, _read)


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A robot for a table: until when it lives, and what it may do where."""
    until = row["expires_at"]
    allowed = (
        f"{place['namespace']}: " + " ".join(f"{access['resource']}:{access['action']}" for access in place["access"])
        for place in row["permissions"]
    )
    return {
        **row,
        "expires_at": "never" if until == -1 else rfc3339(datetime.fromtimestamp(until, UTC)),
        "permissions": "; ".join(allowed),
    }


@robots.command("create")
@click.argument("project")
@click.argument("name")
@click.option(
    "--action", "actions", multiple=True, default=["pull"], show_default=True, help="pull, push, delete; may be repeated"
)
@click.option("--days", type=int, default=-1, show_default=True, help="how long it lives; -1: for ever")
@click.option("--description", default="")
@on_database
def create_robot(project: str, name: str, actions: tuple[str, ...], days: int, description: str) -> None:
    """Make a robot of PROJECT; prints its secret, this once."""
    access = rules.parse_access("project", (("repository", action) for action in actions))
    wanted = Wanted(name, project, description, days, (Grant("project", project, access),))
    robot, secret = service.create(operator(actor()), "project", wanted)
    click.echo(f"robot {service.name_of(robot)} created; it also logs in as robot-{project}+{name}", err=True)
    click.echo(secret)


@robots.command("refresh")
@click.argument("name")
@on_database
def refresh(name: str) -> None:
    """A new secret in the place of all others; prints it."""
    click.echo(service.refresh_secret(operator(actor()), _find(name)))


@robots.command("disable")
@click.argument("name")
@click.option("--off", is_flag=True, help="enable again")
@on_database
def disable(name: str, off: bool) -> None:
    """Disable a robot: felt at once in every process."""
    robot = _find(name)
    if robot.disabled != off:
        raise BadRequest(f"{name} is {'disabled' if robot.disabled else 'enabled'} already")
    service.set_disabled(operator(actor()), robot, not off)


@robots.command("delete")
@click.argument("name")
@on_database
def delete(name: str) -> None:
    """Delete a robot with its secrets."""
    service.delete_robot(actor(), _find(name))


COMMANDS = (robots,)
