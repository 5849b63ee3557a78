"""The reconciler on command."""

from __future__ import annotations

from functools import partial

import click

from authsvc.artifacts import damage
from authsvc.artifacts.models import Damage
from authsvc.artifacts.tasks import INSIST
from authsvc.core.console import on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs import waiting
from authsvc.jobs.models import MANUAL, Execution


@click.command()
@waiting.timeout_option
@click.option("--forget", is_flag=True, help="forget what is gone, however much it is: the storage is the right one")
@click.pass_obj
def reconcile(settings: Settings, timeout: int, forget: bool) -> None:
    """Compare the index with the registry and mend what notifications lost; the worker does it, this waits."""
    waiting.run(settings, partial(_start, forget), timeout)


def _start(forget: bool) -> Execution:
    insisting = {INSIST: True}
    return jobs.launch("RECONCILE", MANUAL, payload=insisting) if forget else jobs.launch_once("RECONCILE", MANUAL)


@click.command()
@output_option
@on_database
def damages(output: str) -> None:
    """What the registry has and cannot give: to be pushed again, or deleted."""
    show(
        (
            {
                "repository": one.repository,
                "reference": one.reference,
                "found": one.found_at,
                "seen": one.seen_at,
                "why": one.reason,
            }
            for one in db.session.scalars(damage.everything().order_by(Damage.repository, Damage.reference))
        ),
        output,
    )


COMMANDS = (reconcile, damages)
