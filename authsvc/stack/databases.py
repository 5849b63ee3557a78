"""Commands about the database as a whole."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import click
from flask import Flask

from authsvc.core import copies, moving, schema, standing
from authsvc.core.base import create_base
from authsvc.core.clock import rfc3339
from authsvc.core.console import DIFFERS
from authsvc.core.db import db, patient_connection, reading
from authsvc.core.errors import Conflict, NotFound, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.jobs import leases
from authsvc.stack import lock
from authsvc.system.health import WORKER_LEASE, WORKER_LEASE_LENGTH


@click.group("db")
def database() -> None:
    """The database as a whole."""


@database.command()
@click.argument("url")
@click.pass_obj
def move(settings: Settings, url: str) -> None:
    """Copy everything into the empty database at URL, of any kind, and compare; the present one stays as it is.

    Nothing may run meanwhile. Afterwards set TIDEGATE_DATABASE_URL to URL and start.
    """
    here, there = create_base(settings), create_base(replace(settings, database_url=url))
    try:
        moved = _move(here, there)
    finally:
        for app in (here, there):
            with app.app_context():
                db.engine.dispose()
    click.echo(f"{moved} rows were copied and compared. Set TIDEGATE_DATABASE_URL to the new address, and start.")


@click.command()
@click.option("--check", is_flag=True, help="only say what would be done, and what to see to before; exit status 10 if anything")
@click.pass_obj
def upgrade(settings: Settings, check: bool) -> None:
    """Bring the database to this release, as `authsvc prepare` and `up` do by themselves. A SQLite file is copied before."""
    app = create_base(settings)
    try:
        found = standing.revision(app)
        if found > schema.newest():
            raise schema.newer(found)
        steps = schema.steps_from(found)
        for step in steps:
            click.echo(f"{step.revision} {step.about}")
        if check:
            _say_before(app, settings, found, steps)
            sys.exit(DIFFERS if steps else 0)
        done = schema.upgrade(app)
    finally:
        with app.app_context():
            db.engine.dispose()
    click.echo(f"the schema is {schema.newest()}" + ("" if done else ", as it was"), err=True)


def _say_before(app: Flask, settings: Settings, found: str, steps: list[schema.Step]) -> None:
    """What is good to know before the schema is changed."""
    if not steps:
        click.echo(f"the schema is {found}, as this release needs it", err=True)
        return
    click.echo(f"{len(steps)} steps from schema {found or 'none'} to {schema.newest()}", err=True)
    database = _file(settings)
    if database is not None and found:
        size, free = database.stat().st_size, shutil.disk_usage(database.parent).free
        click.echo(f"the file will be copied: {size} bytes, of which {free} are free there", err=True)
        if free < 2 * size:
            raise PreconditionFailed("there is not enough room for the copy")
    elif found:
        click.echo("a server's database is not copied by us: make a backup before, with the release that runs now", err=True)


def _file(settings: Settings) -> Path | None:
    """The database's file, if it is one."""
    path = settings.database_url.removeprefix("sqlite:///")
    return Path(path) if path != settings.database_url and Path(path).exists() else None


@click.command()
@click.option("--list", "only_list", is_flag=True, help="only say which copies there are")
@click.pass_obj
def rollback(settings: Settings, only_list: bool) -> None:
    """Put the copy back that was made before the last upgrade of a SQLite database; what was there is kept beside it.

    Then start the older release, and run `authsvc reconcile` for what was pushed since. Other databases: `authsvc restore`.
    """
    database = _file(settings)
    if database is None:
        raise PreconditionFailed("only SQLite files are copied before an upgrade: restore a backup with the older release")
    found = copies.of(database)
    if only_list:
        for one in found:
            click.echo(f"{one.file}: schema {one.present}, before {one.wanted}, made {rfc3339(one.made_at)}")
        return
    if not found:
        raise NotFound(f"there is no copy of {database}")
    with lock.held(Layout(settings)):
        aside = copies.put_back(database, found[0])
    click.echo(f"the database is as it was at {rfc3339(found[0].made_at)}, with schema {found[0].present}")
    click.echo(f"what was there is {aside}", err=True)


def _move(here: Flask, there: Flask) -> int:
    standing.must_be_current(here)
    standing.revision(there)
    schema.upgrade(there)
    with here.app_context(), reading():
        if leases.held(WORKER_LEASE, WORKER_LEASE_LENGTH.total_seconds()):
            raise Conflict("Tidegate is running on the present database: stop it first")
    with here.app_context(), patient_connection() as source, there.app_context(), patient_connection() as target:
        return moving.move(source, target, lambda table, rows: click.echo(f"{rows:>9} {table}"))


COMMANDS = (database, upgrade, rollback)
