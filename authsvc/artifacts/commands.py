"""The reconciler on command."""

from __future__ import annotations

import json
import sys
import time

import click
from sqlalchemy import select

from authsvc.core.base import create_base
from authsvc.core.db import db, reading, transaction
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs.models import ERROR, SUCCESS, Task


@click.command()
@click.option("--timeout", default=600, show_default=True, help="seconds to wait for the worker")
@click.pass_obj
def reconcile(settings: Settings, timeout: int) -> None:
    """Compare the index with the registry and mend what notifications lost; the worker does it, this waits."""
    app = create_base(settings)
    with app.app_context():
        with transaction():
            task_id = jobs.launch("RECONCILE", "Manual").id
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with reading():
                status, result = db.session.execute(select(Task.status, Task.result).where(Task.id == task_id)).one()
            if status in (SUCCESS, ERROR):
                click.echo(json.dumps(result, indent=2))
                sys.exit(0 if status == SUCCESS else 1)
            time.sleep(0.2)
    raise click.ClickException(f"no worker finished it within {timeout} s; is one running?")


COMMANDS = (reconcile,)
