"""`authsvc nodes`."""

from __future__ import annotations

import click

from authsvc.core.console import on_database, output_option, show
from authsvc.nodes import service


@click.command()
@output_option
@on_database
def nodes(output: str) -> None:
    """The nodes of this installation: what each runs, when it was seen last, and how far its clock is ahead of the database's."""
    show(
        (
            {
                "name": one.name,
                "host": one.host,
                "version": one.version,
                "parts": list(one.parts),
                "state": "silent" if one.is_silent else "there",
                "started": one.start_time,
                "seen": one.seen_at,
                "clock_ahead_seconds": round(one.clock_ahead.total_seconds(), 1),
            }
            for one in service.everyone()
        ),
        output,
    )


COMMANDS = (nodes,)
