"""`authsvc explain`: which role, membership or public rule decides."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from authsvc.authn import lockout
from authsvc.authn.snapshot import Snapshots
from authsvc.core.clock import rfc3339
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.errors import BadRequest, NotFound
from authsvc.core.names import is_repository, project_of
from authsvc.core.versioning import VersionReader
from authsvc.rbac.explain import permission_of

_EXIT_DENIED = 12


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
@click.option(
    "--secret-stdin", is_flag=True, help="the access token, robot's secret or CI job's token (of oidc), by standard input"
)
@output_option
@on_database
def explain(user: str, action: str | None, repository: str | None, secret_stdin: bool, output: str) -> None:
    """Why USER (or a robot, "anonymous", or somebody of a directory who has never come) may or may not do ACTION on
    REPOSITORY (or a project).

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
    secret = sys.stdin.readline().strip() if secret_stdin else ""
    from authsvc.authn.asked import explained  # noqa: PLC0415 - it loads all kinds of logins

    found = explained(user, secret, permission_of(action), project, repository if "/" in repository else "")
    if output == "json":
        click.echo(json.dumps(asdict(found) | {"repository": repository}, indent=2))
    else:
        click.echo(f"{'allowed' if found.allowed else 'denied'}: {found.reason}")
        for note in found.notes:
            click.echo(f"  {note}")
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
