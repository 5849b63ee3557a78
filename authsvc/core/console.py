"""What every command of ours does alike: output for people and for programs, and who is behind it."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
from flask import Flask
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from authsvc.core import standing
from authsvc.core.base import create_base
from authsvc.core.clock import rfc3339
from authsvc.core.db import db, transaction
from authsvc.core.origin import Origin, coming_from
from authsvc.core.settings import Settings

DIFFERS = 10  # the exit status of who was asked whether anything is to be changed, and says yes

P = ParamSpec("P")
R = TypeVar("R")

output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="for people or for programs"
)


def actor() -> str:
    """Who is behind a command, for the audit log: as the kernel knows him, not as he calls himself. No user name of ours holds a
    colon."""
    try:
        return f"local:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"local:{os.getuid()}"


def on_database(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command in a transaction on the database of the settings: committed at its end, rolled back if it fails."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        settings: Settings = click.get_current_context().find_object(Settings) or Settings.from_env()
        with opened(settings), transaction():
            return command(*args, **kwargs)

    return wrapper


@contextmanager
def opened(settings: Settings) -> Iterator[None]:
    """The database of the settings, for a command that has transactions of its own.

    Raises:
        click.ClickException, DomainError: it is not there, or cannot be used.
    """
    _require_database(settings)
    app: Flask = create_base(settings)
    standing.must_be_current(app)
    with app.app_context():
        try:
            with coming_from(Origin(user_agent="authsvc")):
                yield
        finally:
            db.session.remove()
            db.engine.dispose()


def _require_database(settings: Settings) -> None:
    """A file that is not there would be answered like a server that is down; most likely the settings are another shell's."""
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        raise click.ClickException(
            f"there is no database {file}: `authsvc prepare` makes one; where there is another, set TIDEGATE_STATE_DIR"
        )


def show(rows: Iterable[Mapping[str, Any]], output: str, read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict) -> None:
    """Print rows as a table, or as a JSON list with the same names; `read`: a row as people read it. What goes into a pipe is a
    line for each row, however wide."""
    rows = list(rows)
    if output == "json":
        click.echo(json.dumps(rows, indent=2, default=_plain))
        return
    rows = [read(row) for row in rows]
    if not rows:
        click.echo("none", err=True)
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    console = Console(highlight=False)
    if not sys.stdout.isatty():
        console.width = max(80, Measurement.get(console, console.options.update(width=100_000), table).maximum)
    console.print(table)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(f"{type(value).__name__} in a row")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return rfc3339(value)
        case Mapping():
            return " ".join(f"{name}={_cell(inner)}" for name, inner in value.items())
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(_cell, value))
        case _:
            return _visible(str(value))


def _visible(text: str) -> str:
    """Names that others made must not speak to the terminal."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
