"""Commands that prepare and run the stack on this host."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from authsvc.core.base import create_base
from authsvc.core.console import output_option, show
from authsvc.core.db import db
from authsvc.core.errors import Conflict, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import lock, parts, rendering, serving
from authsvc.stack import prepare as preparation
from authsvc.stack.selftest import trouble as tested
from authsvc.stack.up import RELOAD, RESTART
from authsvc.stack.up import up as run_up
from authsvc.system import health


@click.command()
@click.option("--containers", type=click.Path(path_type=Path), help="write what containers of nginx and registry need below this")
@click.pass_obj
def prepare(settings: Settings, containers: Path | None) -> None:
    """Make keys, certificates, database and configuration files; what exists stays."""
    with lock.held(Layout(settings)):
        if containers is None:
            ready = preparation.prepare(create_base(settings), settings)
            rendering.on_host(settings, ready.certificate, ready.key)
        else:
            ready = serving.prepare_when_reached(settings)
            rendering.for_containers(settings, containers)
    click.echo(f"prepared {ready.layout.root}; configuration files are in {containers or ready.layout.config}")
    if ready.first_password.exists():
        click.echo(
            f"the first administrator's password is in {ready.first_password}: read it once, delete the file, and choose "
            "another one (at the pages, or authsvc users reset-password admin --password-stdin)"
        )


@click.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Run everything on this host, prove that it works, and say how to log in."""
    sys.exit(run_up(settings))


@click.command()
@click.option("--timeout", default=120, show_default=True, help="seconds to wait for the end")
@click.pass_obj
def down(settings: Settings, timeout: int) -> None:
    """Stop what `authsvc up` runs on this host, and wait until all of it has ended."""
    layout = Layout(settings)
    owner = lock.owner(layout)
    if not owner:
        click.echo("Tidegate is not running here")
        return
    os.kill(owner, signal.SIGTERM)
    if not lock.wait_until_free(layout, timeout):
        raise click.ClickException(f"process {owner} has not ended within {timeout} s; see {layout.logs}")


def _ask(settings: Settings, number: int, timeout: int) -> None:
    """Ask the `up` of this host for something, and wait until it is done."""
    layout = Layout(settings)
    owner = lock.owner(layout)
    if not owner:
        raise Conflict("Tidegate is not running here: `authsvc up` starts it")
    before = _done(layout)
    os.kill(owner, number)
    deadline = time.monotonic() + timeout
    while (done := _done(layout)) == before:
        if time.monotonic() > deadline or not lock.owner(layout):
            raise click.ClickException(f"it was not done within {timeout} s; see {layout.logs}")
        time.sleep(0.1)
    if done["trouble"]:
        raise PreconditionFailed(f"nothing has changed: {done['trouble']}")


def _done(layout: Layout) -> dict[str, Any]:
    try:
        return dict(json.loads(layout.done.read_text()))
    except (OSError, ValueError):
        return {}


@click.command()
@click.option("--timeout", default=180, show_default=True, help="seconds to wait for it")
@click.pass_obj
def reload(settings: Settings, timeout: int) -> None:
    """Read the file of settings and the certificate anew; nobody is cut off."""
    _ask(settings, RELOAD, timeout)


@click.command()
@click.option("--timeout", default=300, show_default=True, help="seconds to wait until all is there again")
@click.pass_obj
def restart(settings: Settings, timeout: int) -> None:
    """Stop everything in order, and start it by the settings as they are then."""
    _ask(settings, RESTART, timeout)


@click.command()
@output_option
@click.pass_obj
def status(settings: Settings, output: str) -> None:
    """What runs on this host, and how it is; exit status 1 when something is wrong."""
    owner = lock.owner(Layout(settings))
    app = create_base(settings)
    with app.app_context():
        components = health.check(settings)
        db.engine.dispose()
    here = {"name": "up", "status": f"process {owner}" if owner else "not running here", "error": "", "warning": ""}
    show([here, *({name: getattr(part, name) for name in here} for part in components)], output)
    sys.exit(1 if any(part.error for part in components) else 0)


@click.command()
@click.pass_obj
def selftest(settings: Settings) -> None:
    """Try a login, push, pull and the record of it against the running stack."""
    if found := tested(create_base(settings), settings):
        raise click.ClickException(found)
    click.echo("login, push, pull and the record of it work")


@click.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(parts.NAMES))
@click.option("--listen", default="0.0.0.0", show_default=True, help="where to listen, whatever others find it by")  # noqa: S104 - of its own network
@click.option("--containers", type=click.Path(path_type=Path), help="renew what containers of nginx and registry need below this")
@click.pass_obj
def serve(settings: Settings, names: tuple[str, ...], listen: str, containers: Path | None) -> None:
    """Run some parts alone, in a container: NAMES of token, api, webhook, worker. They log to standard output."""
    sys.exit(serving.serve(settings, names, listen, containers))


@click.command()
@click.option("--at", default="", help="the host where nginx is, if it is another one")
@click.pass_obj
def ready(settings: Settings, at: str) -> None:
    """Wait until what runs in containers is there, prove that it works, and say how to log in."""
    sys.exit(serving.ready(settings, at))


COMMANDS = (prepare, up, down, restart, reload, status, selftest, serve, ready)
