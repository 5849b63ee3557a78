"""Keys and refresh tokens on the command line."""

from __future__ import annotations

import click

from authsvc.core import versioning
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.token import refresh
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
    identifier = KeyStore(Layout(settings).keys).rotate()
    versioning.bump(db.session)
    click.echo(identifier)


@keys.command("show")
@click.pass_obj
def show_key(settings: Settings) -> None:
    """The id of the key in use."""
    click.echo(KeyStore(Layout(settings).keys).signer().key_id)


@click.group()
def logins() -> None:
    """Logins that clients keep (refresh tokens)."""


@logins.command("list")
@click.argument("username")
@output_option
@on_database
def list_logins(username: str, output: str) -> None:
    """The live refresh tokens of a user, with their last use."""
    rows = db.session.execute(refresh.of_user(users.get_by_name(username).id))
    show((refresh.described(row) for row in rows), output)


@logins.command("revoke")
@click.argument("username")
@click.argument("token_id", type=int)
@on_database
def revoke(username: str, token_id: int) -> None:
    """End one login: felt at once in every process."""
    refresh.revoke(actor(), users.get_by_name(username), token_id)


COMMANDS = (keys, logins)
