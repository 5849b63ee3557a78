"""Commands about the database as a whole."""

from __future__ import annotations

from dataclasses import replace

import click
from flask import Flask

from authsvc.core import moving, schema, standing
from authsvc.core.base import create_base
from authsvc.core.db import db, patient_connection, reading
from authsvc.core.errors import Conflict
from authsvc.core.settings import Settings
from authsvc.jobs import leases
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


def _move(here: Flask, there: Flask) -> int:
    standing.must_be_current(here)
    standing.revision(there)
    schema.upgrade(there)
    with here.app_context(), reading():
        if leases.held(WORKER_LEASE, WORKER_LEASE_LENGTH.total_seconds()):
            raise Conflict("Tidegate is running on the present database: stop it first")
    with here.app_context(), patient_connection() as source, there.app_context(), patient_connection() as target:
        return moving.move(source, target, lambda table, rows: click.echo(f"{rows:>9} {table}"))


COMMANDS = (database,)
