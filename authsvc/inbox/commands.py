"""Events of the registry that could not be processed, on the command line."""

from __future__ import annotations

import click

from authsvc.core.console import on_database, output_option, show
from authsvc.core.db import db
from authsvc.inbox import service
from authsvc.inbox.models import InboxEvent


@click.group()
def quarantine() -> None:
    """Events of the registry that could not be processed."""


@quarantine.command("list")
@output_option
@on_database
def list_quarantined(output: str) -> None:
    """What is set aside, and why."""
    show(
        (
            {"id": event.id, "received": event.received_at, "reason": event.reason, "body": event.body[:200]}
            for event in db.session.scalars(service.quarantined().order_by(InboxEvent.id))
        ),
        output,
    )


@quarantine.command("retry")
@click.argument("event_id", type=int)
@on_database
def retry(event_id: int) -> None:
    """Process one again."""
    service.retry(event_id)


@quarantine.command("discard")
@click.argument("event_id", type=int)
@on_database
def discard(event_id: int) -> None:
    """Settle one without processing it."""
    service.discard(event_id)


COMMANDS = (quarantine,)
