"""For commands: ask the worker to run a job, and wait for what it says."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import click
from sqlalchemy import select

from authsvc.core.base import create_base
from authsvc.core.db import db, reading, transaction
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs.models import FINAL, MANUAL, SUCCESS, Task

timeout_option = click.option("--timeout", default=600, show_default=True, help="seconds to wait for the worker")


def run(settings: Settings, kind: str, timeout: int, payload: Mapping[str, Any] | None = None) -> NoReturn:
    """Launch a job of `wiring.JOBS` with what it is to know, print its result as JSON and exit, with 1 if it failed.

    Raises:
        click.ClickException: no worker got it done in time.
    """
    app = create_base(settings)
    with app.app_context():
        with transaction():
            execution_id = (jobs.launch(kind, MANUAL, payload=payload) if payload else jobs.launch_once(kind, MANUAL)).id
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with reading():
                task = db.session.scalars(select(Task).where(Task.execution_id == execution_id)).one()
                status, said = task.status, task.extra_attrs or {"error": task.status_message}
            if status in FINAL:
                click.echo(json.dumps(said, indent=2))
                sys.exit(0 if status == SUCCESS else 1)
            time.sleep(0.2)
    raise click.ClickException(f"no worker finished it within {timeout} s; is one running?")
