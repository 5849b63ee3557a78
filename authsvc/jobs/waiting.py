"""For commands: ask the worker to run a job, and wait for what it says."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click

from authsvc.core import console
from authsvc.core.db import reading, transaction
from authsvc.core.settings import Settings
from authsvc.jobs import service
from authsvc.jobs.models import FINAL, SUCCESS, Execution

timeout_option = click.option("--timeout", default=600, show_default=True, help="seconds to wait for the worker")


def run(
    settings: Settings, start: Callable[[], Execution], timeout: int, said: Callable[[Execution], Mapping[str, Any]] | None = None
) -> NoReturn:
    """Start an execution, print as JSON what is `said` of it once it has ended, and exit, with 1 if it failed; by default what
    the only task of it has returned.

    Raises:
        click.ClickException: no worker got it done in time.
        Whatever `start` raises.
    """
    with console.opened(settings):
        with transaction():
            execution_id = start().id
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with reading():
                execution = service.get_any(execution_id)
                status, outcome = execution.status, (said or _returned)(execution) if execution.status in FINAL else {}
            if status in FINAL:
                click.echo(json.dumps(outcome, indent=2))
                sys.exit(0 if status == SUCCESS else 1)
            time.sleep(0.2)
    raise click.ClickException(f"no worker finished it within {timeout} s; is one running?")


def _returned(execution: Execution) -> Mapping[str, Any]:
    task = service.only_task(execution)
    return task.extra_attrs or {"error": task.status_message}
