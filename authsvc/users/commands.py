"""Users on the command line, for whoever may read the database anyway."""

from __future__ import annotations

import secrets
import sys

import click

from authsvc.authn import sources
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.users import moving, service
from authsvc.users.models import User
from authsvc.users.passwords import choose


@click.group()
def users() -> None:
    """People who log in."""


@users.command("list")
@output_option
@on_database
def list_users(output: str) -> None:
    """All users."""
    show(
        (
            {
                "id": user.id,
                "username": user.username,
                "email": user.email,
                "system_admin": user.sysadmin,
                "disabled": user.disabled,
                "created": user.creation_time,
            }
            for user in db.session.scalars(service.all_users().order_by(User.username))
        ),
        output,
    )


def _password(given: bool) -> str:
    """From standard input if asked for (unseen and twice, if somebody sits there), else a generated one."""
    if given and sys.stdin.isatty():
        typed: str = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\n") if given else secrets.token_urlsafe(18)


_stdin = click.option("--password-stdin", is_flag=True, help="read the password from standard input instead of generating one")


@users.command("create")
@click.argument("username")
@click.option("--email")
@click.option("--realname", default="")
@click.option("--system-admin", is_flag=True)
@_stdin
@on_database
def create_user(username: str, email: str | None, realname: str, system_admin: bool, password_stdin: bool) -> None:
    """Create a user; a generated password is printed, and is to be changed by the user before anything else."""
    password = _password(password_stdin)
    service.create(
        actor(),
        username=username,
        password=choose(password, username),
        email=email,
        realname=realname,
        sysadmin=system_admin,
        temporary=not password_stdin,
    )
    click.echo(f"user {username} created", err=True)
    if not password_stdin:
        click.echo(password)


@users.command("reset-password")
@click.argument("username")
@_stdin
@on_database
def reset_password(username: str, password_stdin: bool) -> None:
    """Set a new password, also for a locked-out administrator; every stored login of the user ends. A generated one is printed,
    and is to be changed by the user before anything else."""
    password = _password(password_stdin)
    chosen = choose(password, username)
    service.set_password(actor(), service.get_by_name(username), chosen, temporary=not password_stdin)
    click.echo(f"new password set for {username}", err=True)
    if not password_stdin:
        click.echo(password)


@users.command("rename")
@click.argument("username")
@click.argument("new")
@on_database
def rename(username: str, new: str) -> None:
    """Give a user another name; roles, tokens and projects stay his."""
    moving.rename(actor(), service.get_by_name(username), new)


@users.command("link")
@click.argument("username")
@click.argument("origin")
@click.argument("subject")
@on_database
def link(username: str, origin: str, subject: str) -> None:
    """Make whoever is SUBJECT at ORIGIN (ldap:NAME or oidc:NAME) this user: an entry that was made anew, a provider that moved,
    or a local user who comes from there now. Refused logins say both."""
    kind, _, name = origin.partition(":")
    known: sources.Kind | None = {"ldap": "ldap", "oidc": "oidc"}.get(kind)  # type: ignore[assignment] # as it says
    if known is None or not name:
        raise BadRequest("ORIGIN looks like ldap:default or oidc:default")
    sources.get(known, name)
    moving.link(actor(), service.get_by_name(username), known, name, subject)


@users.command("set-admin")
@click.argument("username")
@click.option("--off", is_flag=True, help="take it away")
@on_database
def set_admin(username: str, off: bool) -> None:
    """Make a user a system administrator."""
    service.set_sysadmin(actor(), service.get_by_name(username), not off)


@users.command("disable")
@click.argument("username")
@on_database
def disable(username: str) -> None:
    """Disable a user: felt at once in every process."""
    service.set_disabled(actor(), service.get_by_name(username), True)


@users.command("enable")
@click.argument("username")
@on_database
def enable(username: str) -> None:
    """Enable a disabled user."""
    service.set_disabled(actor(), service.get_by_name(username), False)


@users.command("delete")
@click.argument("username")
@on_database
def delete(username: str) -> None:
    """Delete a user; the name becomes free."""
    service.delete(actor(), service.get_by_name(username))


COMMANDS = (users,)
