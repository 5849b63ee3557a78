"""`authsvc nodes`."""

from __future__ import annotations

from pathlib import Path

import click

from authsvc.audit import service as audit
from authsvc.core import standing
from authsvc.core.base import create_base
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.crypto import read_given, write_private
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.nodes import service, shared


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


@click.command("rotate-master-key")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def rotate_master_key(settings: Settings, file: Path) -> None:
    """Seal what nodes share under the master key in FILE, in the place of the present one.

    Nodes that run go on; each needs the new key when it starts the next time. Backups hold the key that was there when they were
    made.
    """
    layout = Layout(settings)
    app = create_base(settings)
    standing.must_be_current(app)
    try:
        count = shared.reseal(app, layout, file)
    finally:
        with app.app_context():
            db.engine.dispose()
    _note(count)
    if settings.master_key_file is None:
        write_private(layout.master_key, read_given(file) + "\n")
        click.echo(f"{count} secrets are sealed under the new key, which is in {layout.master_key} now")
    else:
        click.echo(f"{count} secrets are sealed under the new key: put {file} in the place of {layout.master_key} on each node")


@on_database
def _note(count: int) -> None:
    audit.record(actor(), "update", "master-key", f"{count} secrets")


COMMANDS = (nodes, rotate_master_key)
