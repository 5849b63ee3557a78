"""The command line, run in this process."""

from __future__ import annotations

from typing import Protocol

from click.testing import CliRunner, Result

from authsvc.cli import cli
from authsvc.core.settings import environment
from tests.support.world import World


class Run(Protocol):
    def __call__(self, *arguments: str, stdin: str = "") -> Result: ...


def runner(world: World) -> Run:
    """Commands with the settings of an application."""
    settings = world.front.flask.config["TIDEGATE"]
    environ = environment(settings) | {"TIDEGATE_DATABASE_URL": settings.database_url}

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return CliRunner(env=environ).invoke(cli, arguments, input=stdin)

    return invoke
