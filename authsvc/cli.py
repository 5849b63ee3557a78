"""`authsvc`: the command line, over the same services as the API."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

import authsvc
import authsvc.artifacts.commands
import authsvc.authn.backends.keyless.commands
import authsvc.authn.backends.ldap.commands
import authsvc.authn.commands
import authsvc.backup.commands
import authsvc.configuration.commands
import authsvc.declared.commands
import authsvc.doctor.commands
import authsvc.gc.commands
import authsvc.inbox.commands
import authsvc.nodes.commands
import authsvc.projects.commands
import authsvc.quota.commands
import authsvc.replication.commands
import authsvc.robots.commands
import authsvc.stack.commands
import authsvc.stack.databases
import authsvc.token.commands
import authsvc.users.commands
from authsvc.core.errors import DomainError
from authsvc.core.settings import Settings, SettingsError
from authsvc.observability import logs, tracing

COMMANDS: Sequence[Sequence[click.Command]] = [
    authsvc.stack.commands.COMMANDS,
    authsvc.stack.databases.COMMANDS,
    authsvc.backup.commands.COMMANDS,
    authsvc.doctor.commands.COMMANDS,
    authsvc.users.commands.COMMANDS,
    authsvc.projects.commands.COMMANDS,
    authsvc.token.commands.COMMANDS,
    authsvc.authn.commands.COMMANDS,
    authsvc.authn.backends.ldap.commands.COMMANDS,
    authsvc.authn.backends.keyless.commands.COMMANDS,
    authsvc.artifacts.commands.COMMANDS,
    authsvc.gc.commands.COMMANDS,
    authsvc.quota.commands.COMMANDS,
    authsvc.replication.commands.COMMANDS,
    authsvc.inbox.commands.COMMANDS,
    authsvc.nodes.commands.COMMANDS,
    authsvc.robots.commands.COMMANDS,
    authsvc.configuration.commands.COMMANDS,
    authsvc.declared.commands.COMMANDS,
]
# Stable, for scripts; 1 is any other failure, 2 a usage error (click's own).
EXIT_STATUS = {
    "UNAUTHORIZED": 3,
    "FORBIDDEN": 4,
    "DENIED": 4,
    "NOT_FOUND": 5,
    "CONFLICT": 6,
    "BAD_REQUEST": 7,
    "PRECONDITION": 7,
    "UNAVAILABLE": 9,
}


@click.group()
@click.version_option(authsvc.__version__)
@click.pass_context
def cli(context: click.Context) -> None:
    """Tidegate: accounts, roles and policy in front of the stock Docker registry.

    Settings come from TIDEGATE_* environment variables, or from the file that TIDEGATE_ENV_FILE names.
    """
    settings = context.obj = Settings.from_env()
    logs.configure(settings.log_level, "command")


@cli.command()
@click.pass_obj
def worker(settings: Settings) -> None:
    """Process the registry's events and run jobs, until stopped."""
    from authsvc.worker import Worker  # noqa: PLC0415 - it loads every feature; other commands need not wait for that

    logs.configure(settings.log_level, "worker")
    tracing.begin(settings, "worker")
    Worker(settings).run()


for commands in COMMANDS:
    for command in commands:
        cli.add_command(command)


def main() -> None:
    """The entry point: errors are one line on standard error, with a stable exit status."""
    try:
        cli()
    except SettingsError as error:
        click.echo(f"authsvc: {error}", err=True)
        sys.exit(2)
    except DomainError as error:
        click.echo(f"authsvc: {error.message}", err=True)
        sys.exit(EXIT_STATUS.get(error.code, 1))


if __name__ == "__main__":
    main()
