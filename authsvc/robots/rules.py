"""Robots' names and what can be given to one. Pure. Source: Harbor's robot API and its error texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from authsvc.core import names
from authsvc.core.errors import BadRequest
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.robots import PROJECT_CATALOGUE, SYSTEM_CATALOGUE

MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions in one place: `kind` system (namespace "/") or project (a project's name, or "*")."""

    kind: str
    namespace: str
    access: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A robot as it is asked for, checked. `project` "" at system level."""

    name: str
    project: str
    description: str
    duration: int
    grants: tuple[Grant, ...]


def full_name(prefix: str, project: str, name: str) -> str:
    """The name by which a robot logs in: `robot$name`, `robot$project+name`."""
    return f"{prefix}{project}+{name}" if project else f"{prefix}{name}"


def alias_prefix(prefix: str) -> str:
    """The prefix without what a shell would eat: `robot-` for `robot$`."""
    return prefix.replace("$", "-")


def split_name(prefix: str, text: str) -> tuple[str, str] | None:
    """Project ("" at system level) and name of what may be a robot's name, or its alias; None if it is neither."""
    for known in (prefix, alias_prefix(prefix)):
        if text.startswith(known):
            project, plus, name = text.removeprefix(known).rpartition("+")
            return (project, name) if name and (project or not plus) else None
    return None


def parse_access(kind: str, access: Iterable[tuple[str, str]]) -> frozenset[Permission]:
    """Resource and action pairs that a robot may be given.

    Raises:
        BadRequest: one that no robot can have, or none at all.
    """
    catalogue = SYSTEM_CATALOGUE if kind == "system" else PROJECT_CATALOGUE
    found = set()
    for resource, action in access:
        try:
            permission = Permission(Resource(resource), Action(action))
        except ValueError:
            permission = None
        if permission not in catalogue:
            raise BadRequest(f"bad request permission: {resource[:64]}:{action[:64]}")
        found.add(permission)
    if not found:
        raise BadRequest("bad request empty access")
    return frozenset(found)


def check(level: str, wanted: Wanted) -> None:
    """Harbor's rules for what fits together.

    Raises:
        BadRequest
    """
    if level not in ("system", "project"):
        raise BadRequest(f"bad request error level input: {level[:64]}")
    if not names.is_project(wanted.name):
        raise BadRequest("a robot's name has lower-case letters, digits and single . _ - between them")
    if wanted.duration != -1 and not 1 <= wanted.duration <= MAX_DAYS:
        raise BadRequest(f"bad request error duration input: {wanted.duration} (1 to {MAX_DAYS} days, or -1: never expires)")
    if not wanted.grants:
        raise BadRequest("bad request empty permission")
    if level == "project" and [(grant.kind, grant.namespace) for grant in wanted.grants] != [("project", wanted.project)]:
        raise BadRequest("a robot of a project has exactly one permission entry, of kind project and with that project's name")
    for grant in wanted.grants:
        if grant.kind not in ("system", "project"):
            raise BadRequest(f"bad request error kind input: {grant.kind[:64]}")
        if grant.kind == "system" and grant.namespace != "/":
            raise BadRequest('the namespace of system permissions is "/"')
