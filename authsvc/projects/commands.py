"""Projects and members on the command line."""

from __future__ import annotations

import click

from authsvc import lifecycle
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.errors import NotFound
from authsvc.projects import members as membership
from authsvc.projects import service
from authsvc.projects.models import Project
from authsvc.rbac.principal import operator
from authsvc.rbac.roles import Role
from authsvc.registries import service as registries
from authsvc.repositories import service as repositories
from authsvc.users import service as users

_ROLES = {role.label: role for role in Role}
_role = click.Choice(list(_ROLES), case_sensitive=False)


@click.group()
def projects() -> None:
    """Projects."""


@projects.command("list")
@output_option
@on_database
def list_projects(output: str) -> None:
    """All projects."""
    found = db.session.scalars(service.all_projects().order_by(Project.name)).all()
    counts = repositories.count_by_project([project.id for project in found])
    show(
        (
            {
                "id": project.id,
                "name": project.name,
                "public": project.public,
                "owner": project.owner.username,
                "repositories": counts.get(project.id, 0),
                "created": project.creation_time,
            }
            for project in found
        ),
        output,
    )


@projects.command("create")
@click.argument("name")
@click.option("--owner", default="admin", show_default=True)
@click.option("--public", is_flag=True)
@click.option("--registry", default="", help="the name of another registry, whose images it caches")
@on_database
def create_project(name: str, owner: str, public: bool, registry: str) -> None:
    """Create a project; its owner becomes its first project administrator."""
    creator = operator(actor())
    with lifecycle.place_of(creator, name) as place:
        metadata, cached = {"public": str(public).lower()}, registries.get_by_name(registry) if registry else None
        lifecycle.create_project(creator, users.get_by_name(owner).id, place, metadata, cached)
        db.session.flush()


@projects.command("set-public")
@click.argument("name")
@click.option("--off", is_flag=True, help="make it private")
@on_database
def set_public(name: str, off: bool) -> None:
    """Let everybody pull from a project."""
    service.update(operator(actor()), service.get_by_name(name), {"public": str(not off).lower()})


@projects.command("delete")
@click.argument("name")
@on_database
def delete_project(name: str) -> None:
    """Delete an empty project."""
    lifecycle.delete_project(actor(), lambda: service.get_by_name(name))


@click.group()
def members() -> None:
    """Who holds which role in a project."""


@members.command("list")
@click.argument("project")
@output_option
@on_database
def list_members(project: str, output: str) -> None:
    """The members of a project."""
    rows = db.session.execute(membership.of(service.get_by_name(project)))
    show((membership.as_entity(row) for row in rows), output)


@members.command("set")
@click.argument("project")
@click.argument("username")
@click.argument("role", type=_role)
@on_database
def set_member(project: str, username: str, role: str) -> None:
    """Give a user a role, in place of the one held until now."""
    found, user = service.get_by_name(project), users.get_by_name(username)
    existing = membership.id_of(found, user)
    if existing is None:
        membership.add(operator(actor()), found, user, _ROLES[role])
    else:
        membership.set_role(operator(actor()), found, existing, _ROLES[role])


@members.command("remove")
@click.argument("project")
@click.argument("username")
@on_database
def remove_member(project: str, username: str) -> None:
    """Take a user's role away."""
    found, user = service.get_by_name(project), users.get_by_name(username)
    existing = membership.id_of(found, user)
    if existing is None:
        raise NotFound(f"{username} is no member of {project}")
    membership.remove(actor(), found, existing)


COMMANDS = (projects, members)
