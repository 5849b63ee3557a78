"""The reconciler on command."""

from __future__ import annotations

import click

from authsvc.core.settings import Settings
from authsvc.jobs import waiting


@click.command()
@waiting.timeout_option
@click.pass_obj
def reconcile(settings: Settings, timeout: int) -> None:
    """Compare the index with the registry and mend what notifications lost; the worker does it, this waits."""
    waiting.run(settings, "RECONCILE", timeout)


COMMANDS = (reconcile,)
