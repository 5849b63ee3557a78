"""`authsvc doctor`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click

from authsvc.core.base import create_base
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.doctor import bundle
from authsvc.doctor.examination import CHECKS, Look, examine
from authsvc.doctor.findings import BAD, DOUBTFUL, GOOD, SKIPPED, Check, Patient

_SIGNS = {GOOD: "ok", DOUBTFUL: "!", BAD: "BAD", SKIPPED: "-"}


@click.command()
@click.argument("names", nargs=-1)
@click.option("--quiet", is_flag=True, help="only what is not as it should be")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="for people or for programs")
@click.option("--at", default="", help="the host where nginx is, if it is another one, as in containers")
@click.option(
    "--bundle",
    "archive",
    type=click.Path(path_type=Path),
    help="write what was found, settings and logs, without secrets, as .tar.gz",
)
@click.pass_obj
def doctor(settings: Settings, names: tuple[str, ...], quiet: bool, output: str, at: str, archive: Path | None) -> None:
    """Look for what may be wrong, and say what to do next; nothing is changed.

    NAMES are checks, or groups of them (host, tls, outside, ...); all of them if there is none. Exit status 1 when something is
    bad, 0 otherwise.
    """
    known = {check.name for check in CHECKS} | {check.group for check in CHECKS}
    if unknown := sorted(set(names) - known):
        raise click.UsageError(
            f"no such check: {', '.join(unknown)}; groups are {', '.join(dict.fromkeys(check.group for check in CHECKS))}"
        )

    def wanted(check: Check) -> bool:
        return not names or check.name in names or check.group in names

    app = create_base(settings)
    looks = []
    try:
        for look in examine(Patient(app, settings, at), wanted):
            looks.append(look)
            if output == "text" and not (quiet and look.finding.status in (GOOD, SKIPPED)):
                _say(look)
    finally:
        with app.app_context():
            db.engine.dispose()
    if output == "json":
        click.echo(json.dumps([bundle.row(look) for look in looks], indent=2))
    else:
        _sum_up(looks)
    if archive is not None:
        bundle.write(archive, settings, looks)
    sys.exit(1 if any(look.finding.status == BAD for look in looks) else 0)


def _say(look: Look) -> None:
    finding = look.finding
    click.echo(f"{_SIGNS[finding.status]:>3}  {look.check.name:<28} {finding.said}")
    if finding.advice:
        click.echo(f"{'':34}-> {finding.advice}")


def _sum_up(looks: list[Look]) -> None:
    counted = Counter(look.finding.status for look in looks)
    click.echo(f"{len(looks)} checks: " + ", ".join(f"{counted[status]} {status}" for status in _SIGNS if counted[status]))


COMMANDS = (doctor,)
