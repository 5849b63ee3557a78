"""For commands: ask the worker to run a job, and wait for what it says."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import click
from sqlalchemy import select

from authsvc.core.base import create_base
from authsvc.core.db import db, reading, transaction
from authsvc.core.settings import Settings
from authsvc.jobs.models import FINAL, SUCCESS, Execution, Task

timeout_option = click.option("--timeout", default=600, show_default=True, help="seconds to wait for the worker")


def run(settings: Settings, start: Callable[[], Execution], timeout: int) -> NoReturn:
    """Start an execution of one task, print its result as JSON and exit, with 1 if it failed.

    Raises:
        click.ClickException: no worker got it done in time.
        Whatever `start` raises.
    """
    app = create_base(settings)
    with app.app_context():
        with transaction():
            execution_id = start().id
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
