"""Commands that prepare and run the stack on this host."""

from __future__ import annotations

import sys

import click

from authsvc.core.base import create_base
from authsvc.core.settings import Settings
from authsvc.stack import prepare as preparation
from authsvc.stack.selftest import SelfTest, SelfTestFailed
from authsvc.stack.up import up as run_up


@click.command()
@click.pass_obj
def prepare(settings: Settings) -> None:
    """Make keys, certificates, database and configuration files; what exists stays."""
    ready = preparation.prepare(create_base(settings), settings)
    click.echo(f"prepared {ready.layout.root}; configuration files are in {ready.layout.config}")
    if ready.first_password.exists():
        click.echo(
            f"the first administrator's password is in {ready.first_password}: read it once, delete the file, and choose "
            "another one (at the pages, or authsvc users reset-password admin --password-stdin)"
        )


@click.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Run everything on this host, prove that it works, and say how to log in."""
    try:
        sys.exit(run_up(settings))
    except SelfTestFailed as error:
        raise click.ClickException(f"the stack started but does not work: {error}") from error


@click.command()
@click.pass_obj
def selftest(settings: Settings) -> None:
    """Try a login, push, pull and the record of it against the running stack."""
    try:
        SelfTest(create_base(settings), settings).run()
    except SelfTestFailed as error:
        raise click.ClickException(str(error)) from error
    click.echo("login, push, pull and the record of it work")


COMMANDS = (prepare, up, selftest)
