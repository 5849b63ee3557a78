"""Garbage collection on command."""

from __future__ import annotations

from functools import partial

import click

from authsvc.core.settings import Settings
from authsvc.gc import tasks
from authsvc.jobs import waiting
from authsvc.jobs.upkeep import Upkeep


@click.command()
@waiting.timeout_option
@click.option("--dry-run", is_flag=True, help="say what would go, and change nothing")
@click.option("--delete-untagged", is_flag=True, help="also delete artifacts without a tag")
@click.option("--workers", default=1, show_default=True, help="blobs that are deleted at a time")
@click.pass_obj
def gc(settings: Settings, timeout: int, dry_run: bool, delete_untagged: bool, workers: int) -> None:
    """Delete from the registry's storage what nothing needs; the worker does it, this waits. What was needed a short while ago
    is deleted later (TIDEGATE_GC_GRACE_SECONDS)."""
    parameters = {"dry_run": dry_run, "delete_untagged": delete_untagged, "workers": workers}
    waiting.run(settings, partial(Upkeep(tasks.KIND, tasks.checked).start, parameters), timeout)


COMMANDS = (gc,)
