"""Configuration on the command line."""

from __future__ import annotations

import click

from authsvc.authn import configuration as identity
from authsvc.configuration import service
from authsvc.configuration.items import ITEMS
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.errors import BadRequest


@click.group("config")
def config() -> None:
    """Harbor's configuration items."""


@config.command("list")
@output_option
@on_database
def list_items(output: str) -> None:
    """Every item with its value; secrets are left out."""
    show(({"name": name, "value": value} for name, value in sorted((service.values() | identity.values()).items())), output)


@config.command("set")
@click.argument("items", nargs=-1, required=True)
@on_database
def set_items(items: tuple[str, ...]) -> None:
    """Set ITEMS such as self_registration=true."""
    given = dict(item.partition("=")[::2] for item in items)
    known = ITEMS.keys() | identity.ITEMS.keys() | {"auth_mode"}
    if unknown := sorted(given.keys() - known):
        raise BadRequest(f"there is no item {', '.join(unknown)}; `authsvc config list` shows them all")
    identity.configure(actor(), given)


COMMANDS = (config,)
