"""Replication on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import select

from authsvc.core.console import on_database, output_option, show
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs import service as jobs
from authsvc.jobs import waiting
from authsvc.jobs.models import MANUAL, Execution
from authsvc.registries.models import Registry
from authsvc.replication import service
from authsvc.replication.models import ReplicationPolicy

HERE = "this registry"


@click.group()
def replication() -> None:
    """Images that go to other registries, and come from them."""


@replication.command("list")
@output_option
@on_database
def list_policies(output: str) -> None:
    """All policies, and how the last run of each went."""
    names: dict[int | None, str] = {row.id: row.name for row in db.session.scalars(select(Registry))}
    policies = db.session.scalars(service.every().order_by(ReplicationPolicy.name)).all()
    show([_row(policy, names) for policy in policies], output)


def _row(policy: ReplicationPolicy, names: Mapping[int | None, str]) -> dict[str, Any]:
    last = db.session.scalar(jobs.of_vendor(service.KIND, policy.id).order_by(Execution.id.desc()).limit(1))
    return {
        "name": policy.name,
        "from": names.get(policy.source_id, HERE),
        "to": names.get(policy.destination_id, HERE),
        "when": policy.cron or policy.trigger,
        "enabled": policy.enabled,
        "last_run": last.start_time if last else None,
        "status": last.status if last else "",
        "outcome": (last.status_message or service.proof(last)) if last else "",
    }


@replication.command("run")
@click.argument("name")
@waiting.timeout_option
@click.pass_obj
def run_policy(settings: Settings, name: str, timeout: int) -> None:
    """Run the policy NAME now; the worker does it, this waits, and says what is equal at both ends and what is not."""
    waiting.run(settings, lambda: service.launch(service.get_by_name(name), MANUAL), timeout, _said)


def _said(execution: Execution) -> dict[str, Any]:
    counted = {"artifacts": 0, "equal": 0, "excepted": []} | execution.extra_attrs
    return {"status": execution.status, "outcome": execution.status_message or service.proof(execution)} | counted


COMMANDS = (replication,)
