"""Keys, and what users are logged in with, on the command line."""

from __future__ import annotations

from typing import Any

import click

from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.secrets import service as secrets
from authsvc.secrets.rules import Kind
from authsvc.token import tasks
from authsvc.token.keys import KeyStore
from authsvc.users import service as users


@click.group()
def keys() -> None:
    """The keys that sign registry tokens."""


@keys.command("rotate")
@click.pass_obj
@on_database
def rotate(settings: Settings) -> None:
    """Sign with a new key from now on. No restart, and tokens given out before stay good."""
    click.echo(tasks.rotate(KeyStore(Layout(settings).keys)))


@keys.command("show")
@click.pass_obj
def show_key(settings: Settings) -> None:
    """The id of the key in use."""
    click.echo(KeyStore(Layout(settings).keys).signer().key_id)


_KEPT = (Kind.REFRESH, Kind.ACCESS, Kind.SESSION, Kind.CLI)


def _shown(row: Any) -> dict[str, Any]:
    names = ("id", "name", "creation_time", "expires_at", "last_used_at", "last_address")
    described = secrets.described(row)
    return {"kind": row[0].kind} | {name: described[name] for name in names}


@click.group()
def logins() -> None:
    """What a user is logged in with: logins that clients keep, access tokens, sessions."""


@logins.command("list")
@click.argument("username")
@output_option
@on_database
def list_logins(username: str, output: str) -> None:
    """The live ones of a user, with their last use."""
    rows = db.session.execute(secrets.of_owner("user", users.get_by_name(username).id, *_KEPT))
    show((_shown(row) for row in rows), output)


@logins.command("revoke")
@click.argument("username")
@click.argument("token_id", type=int)
@on_database
def revoke(username: str, token_id: int) -> None:
    """End one login: felt at once in every process."""
    user = users.get_by_name(username)
    secrets.revoke(actor(), "user", user.id, user.username, token_id, *_KEPT)


COMMANDS = (keys, logins)
