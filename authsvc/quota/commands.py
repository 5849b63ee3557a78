"""Storage quotas on the command line."""

from __future__ import annotations

from functools import partial

import click

from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs import waiting
from authsvc.jobs.models import MANUAL
from authsvc.projects import service as projects
from authsvc.projects.models import Project
from authsvc.quota import service


@click.group()
def quota() -> None:
    """How much projects store, and how much they may."""


@quota.command("list")
@output_option
@on_database
def list_quotas(output: str) -> None:
    """Every project with its limit (-1: none) and usage, in bytes."""
    projects_ = db.session.scalars(service.all_quotas().order_by(Project.name))
    show(({"project": one.name, "limit": one.storage_limit, "used": one.usage.bytes} for one in projects_), output)


@quota.command("set")
@click.argument("project")
@click.argument("limit", type=int)
@on_database
def set_quota(project: str, limit: int) -> None:
    """Let PROJECT store at most LIMIT bytes; -1: as much as it wants (write `-- -1`)."""
    service.set_limit(actor(), projects.get_by_name(project), limit)


@quota.command("recompute")
@waiting.timeout_option
@click.pass_obj
def recompute(settings: Settings, timeout: int) -> None:
    """Count anew from the index what every project stores; the worker does it, this waits."""
    waiting.run(settings, partial(jobs.launch_once, "RECOMPUTE_QUOTA", MANUAL), timeout)


COMMANDS = (quota,)
