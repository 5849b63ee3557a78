"""`authsvc explain`: which role, membership or public rule decides."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

import click

from authsvc.authn import lockout
from authsvc.authn.principals import load, load_project
from authsvc.authn.snapshot import Snapshots
from authsvc.core.clock import rfc3339
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.core.names import is_repository, project_of
from authsvc.core.versioning import VersionReader
from authsvc.rbac.explain import explain as explain_decision
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.principal import ANONYMOUS, Principal
from authsvc.rbac.roles import ALL_PERMISSIONS
from authsvc.robots import service as robots
from authsvc.users import service as users

_EXIT_DENIED = 12


def _permission(text: str) -> Permission:
    resource, _, action = text.rpartition(":")
    try:
        permission = Permission(Resource(resource or "repository"), Action(action))
    except ValueError:
        permission = None
    if permission not in ALL_PERMISSIONS:
        raise BadRequest(f"{text} is no permission; pull, push and delete are, and resource:action pairs such as member:create")
    return permission


def _who(name: str) -> Principal:
    if name == "anonymous":
        return ANONYMOUS
    robot = robots.find(name)
    kind, account_id = ("robot", robot.id) if robot else ("user", users.get_by_name(name).id)
    account = load(db.session.execute, (kind, account_id))
    if account is None:
        raise NotFound(f"{kind} {name} not found")
    if refusal := account.refusal(time.time()):
        raise BadRequest(f"{refusal}; until then {name} may do nothing at all")
    return account.principal


def _replay(decision_id: str, output: str) -> None:
    # They load all features; the other way of asking need not wait for them.
    from authsvc.gate import replay  # noqa: PLC0415
    from authsvc.gate.models import Decision  # noqa: PLC0415
    from authsvc.wiring import CHECKS  # noqa: PLC0415

    row = db.session.get(Decision, decision_id)
    if row is None:
        raise NotFound(f"decision {decision_id[:20]} not found; they are kept for a while only")
    reader = VersionReader(db.engine)
    try:
        then, now = replay.was(row), replay.now(row, Snapshots(reader).current(), CHECKS)
    finally:
        reader.close()
    asked = {name: getattr(row, name) for name in ("id", "at", "username", "method", "repository", "reference", "address")}
    shown = asked | {"at": rfc3339(row.at), "then": asdict(then), "now": asdict(now)}
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(
            f"{rfc3339(row.at)}  {row.username or 'anonymous'} asked to {row.method} {row.repository} {row.reference}".rstrip()
        )
        for when, outcome in (("then", then), ("now", now)):
            said = "allowed" if outcome.allowed else f"refused with {outcome.status} by {outcome.rule}: {outcome.message}"
            click.echo(f"  {when:4}  {said}{f'; {outcome.help}' if outcome.help else ''}")
    sys.exit(0 if now.allowed else _EXIT_DENIED)


@click.command()
@click.argument("user")
@click.argument("action", required=False)
@click.argument("repository", required=False)
@output_option
@on_database
def explain(user: str, action: str | None, repository: str | None, output: str) -> None:
    """Why USER (or "anonymous") may or may not do ACTION on REPOSITORY (or a project).

    ACTION is pull, push, delete, or resource:action such as member:create. Or only the id of a decision, as refusals
    print it: what was asked, what decided, and what would now. Exit status 0: allowed (now), 12: denied.
    """
    if action is None:
        _replay(user, output)
        return
    if repository is None:
        raise click.UsageError("USER ACTION REPOSITORY, or the id of a decision")
    if "/" in repository and not is_repository(repository):
        raise BadRequest(f"{repository} is no repository name: lower case, project/name")
    project = project_of(repository)
    found = explain_decision(_who(user), _permission(action), project, load_project(db.session.execute, project))
    if output == "json":
        click.echo(json.dumps(asdict(found) | {"repository": repository}, indent=2))
    else:
        click.echo(f"{'allowed' if found.allowed else 'denied'}: {found.reason}")
    if not found.allowed:
        sys.exit(_EXIT_DENIED)


@click.group("lockouts")
def lockouts() -> None:
    """Wrong passwords that are counted now."""


@lockouts.command("list")
@output_option
@on_database
def list_lockouts(output: str) -> None:
    """Who is counted, from where, and how often."""
    show((row._asdict() for row in db.session.execute(lockout.failures())), output)


@lockouts.command("clear")
@click.argument("name")
@on_database
def clear_lockout(name: str) -> None:
    """Let an account or an address log in again at once."""
    lockout.clear(actor(), name)


COMMANDS = (explain, lockouts)
