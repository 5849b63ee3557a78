"""Directories on the command line."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from authsvc.authn import configuration, sources
from authsvc.authn.backends.ldap import backend
from authsvc.authn.backends.ldap.backend import KIND
from authsvc.authn.backends.ldap.trace import trace
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.errors import BadRequest

_EXIT_FAILED = 9


@click.group()
def ldap() -> None:
    """Directories that people come from."""


@ldap.command("test")
@click.option("--user", "username", default="", help="try as this user")
@click.option("--password-stdin", is_flag=True, help="read the user's password from standard input and bind with it")
@click.option("--source", default=sources.DEFAULT, show_default=True, help="which directory")
@output_option
@on_database
def try_directory(username: str, password_stdin: bool, source: str, output: str) -> None:
    """Try a directory step by step, as a user if one is named. Exit status 9 if a step fails."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else ""
    steps = trace(backend.one_directory(source), username, password)
    if output == "json":
        click.echo(json.dumps([asdict(step) for step in steps], indent=2))
    else:
        for step in steps:
            sign = {True: "ok", False: "FAILED", None: "-"}[step.ok]
            click.echo(f"{step.number:2} {step.name:<15} {sign:<7} {step.milliseconds:7.1f} ms  {step.detail}")
            if step.hint:
                click.echo(f"{'':36}  hint: {step.hint}")
    if any(step.ok is False for step in steps):
        sys.exit(_EXIT_FAILED)


@ldap.command("list")
@output_option
@on_database
def list_directories(output: str) -> None:
    """The directories, in the order in which they are asked."""
    show(
        (
            {"name": source.name, "enabled": source.enabled, "position": source.position, "url": source.settings.get("ldap_url")}
            for source in sources.of_kind(KIND, enabled_only=False)
        ),
        output,
    )


@ldap.command("set")
@click.argument("name")
@click.argument("items", nargs=-1)
@click.option("--position", type=int, help="in which order it is asked")
@click.option("--disable", is_flag=True)
@click.option("--password-stdin", is_flag=True, help="read ldap_search_password from standard input")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="a PEM file for ldap_ca")
@on_database
def set_directory(
    name: str, items: tuple[str, ...], position: int | None, disable: bool, password_stdin: bool, ca: Path | None
) -> None:
    """Make a directory or change one by ITEMS such as ldap_url=ldaps://directory.example.com; then try it: authsvc ldap test."""
    given: dict[str, object] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.startswith("ldap_") or key == "ldap_search_password":
            raise BadRequest(f"{key} cannot be set like this: items look like ldap_uid=uid, passwords come by --password-stdin")
        given[key] = value
    if password_stdin:
        given["ldap_search_password"] = sys.stdin.readline().rstrip("\n")
    if ca is not None:
        given["ldap_ca"] = ca.read_text(errors="replace")
    configuration.save(actor(), KIND, name, given, enabled=not disable, position=position)


COMMANDS = (ldap,)
