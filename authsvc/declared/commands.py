"""`authsvc export`, `diff`, `apply`."""

from __future__ import annotations

import sys
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import click

from authsvc.core.base import create_base
from authsvc.core.console import DIFFERS, actor, on_database
from authsvc.core.crypto import write_private
from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import Conflict
from authsvc.core.origin import Origin, coming_from
from authsvc.core.repeat import repeated
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.declared import adoption, conversion, document, harbor, plan
from authsvc.declared import reading as installation
from authsvc.rbac.principal import Principal, operator
from authsvc.wiring import internal_registry, make_issuer

file_argument = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
prune_option = click.option("--prune", is_flag=True, help="take away what lists of the document do not name; no project, no user")


@click.command("export")
@click.argument("projects", nargs=-1)
@on_database
def export(projects: tuple[str, ...]) -> None:
    """Write what there is as YAML: configuration, users, labels, robots, registries, replications, and PROJECTS with all that is
    in them but images.

    Secrets are left out. Without PROJECTS: everything.
    """
    giver = operator(actor())
    click.echo(document.written(installation.some(giver, projects) if projects else installation.whole(giver)), nl=False)


@click.command()
@file_argument
@prune_option
@on_database
def diff(file: Path, prune: bool) -> None:
    """Say what `authsvc apply` of FILE would change; exit status 10 if it would change anything."""
    found = plan.changes(operator(actor()), document.parse(_text(file)), prune=prune)
    for change in found:
        click.echo(str(change))
    sys.exit(DIFFERS if found else 0)


@click.command()
@file_argument
@prune_option
@click.pass_obj
def apply(settings: Settings, file: Path, prune: bool) -> None:
    """Make everything as FILE says, all of it or nothing; what it does not name stays as it is.

    What is changed is printed on standard error, secrets that are generated for new users and robots, which are shown this once,
    on standard output.
    """
    wanted, giver = document.parse(_text(file)), operator(actor())
    app = create_base(settings)
    with app.app_context(), coming_from(Origin(user_agent="authsvc")):
        try:
            with reading():
                first = plan.changes(giver, wanted, prune=prune)
            foreseen = {change.what for change in first if change.sign == "+"}
            with ExitStack() as made:
                for change in first:
                    change.ready(made)
                done = repeated(lambda: _made(giver, wanted, prune, foreseen))
        finally:
            db.session.remove()
            db.engine.dispose()
    for change, secret in done:
        click.echo(str(change), err=True)
        if secret:
            click.echo(f"{change.what}: {secret}")
    click.echo(f"{len(done)} changes", err=True)


def _made(giver: Principal, wanted: document.Item, prune: bool, foreseen: Collection[str]) -> list[tuple[plan.Change, str]]:
    """`foreseen`: what is to be made and was made ready."""
    with transaction():
        found = []
        for change in plan.changes(giver, wanted, prune=prune):
            if change.sign == "+" and change.what not in foreseen:
                raise Conflict(f"{change.what} was there a moment ago, and is gone: apply once more")
            found.append((change, change.run()))
            db.session.flush()
        return found


@click.command("import-harbor")
@click.argument("url")
@click.argument("projects", nargs=-1)
@click.option("--username", default="admin", show_default=True, help="a system administrator of that Harbor")
@click.option("--ca", type=click.Path(exists=True), help="the authority that its certificate is below, if it is no public one")
def import_harbor(url: str, projects: tuple[str, ...], username: str, ca: str | None) -> None:
    """Write what the Harbor at URL is as YAML for `authsvc apply`: configuration, users, labels, robots, and PROJECTS (all of
    them unless said) with members, robots and policies.

    The password is read from standard input. Nothing is changed, there or here. What is left out is said on standard error.
    """
    there = harbor.Harbor(url, username, _password(), ca)
    read = harbor.read(there, projects, lambda line: click.echo(line, err=True))
    click.echo(document.written(read), nl=False)


@click.command()
@file_argument
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=".", show_default=True, help="where files go")
def convert(file: Path, into: Path) -> None:
    """Make settings of what Harbor's installers are told: FILE is a harbor.yml, or values of its chart.

    A harbor.yml becomes `.env` for `compose.yaml`, values become `values.yaml` for our chart, blobs in a bucket
    `storage.yml`. What is left out is said, and why, and what is left to do. No file is written over.
    """
    made = conversion.convert(_text(file))
    if there := [name for name in made.files if (into / name).exists()]:
        raise Conflict(f"{into / there[0]} is there already: name another directory by --into")
    for name, text in sorted(made.files.items()):
        write_private(into / name, text)
        click.echo(into / name)
    for note in made.notes:
        click.echo(note, err=True)


@click.command()
@click.pass_obj
def adopt(settings: Settings) -> None:
    """Write projects for the repositories that the registry holds and no project has, as YAML for `authsvc apply`.

    Point TIDEGATE_REGISTRY_STORAGE at what a stock registry, or Harbor's, stores; look at what this says, apply it, and run
    `authsvc reconcile`, which puts all that is there into the index. Nothing is changed by this command.
    """
    app = create_base(settings)
    with app.app_context():
        reader = VersionReader(db.engine)
        try:
            found = adoption.read(internal_registry(settings, make_issuer(settings, reader), "adopt"))
        finally:
            reader.close()
            db.session.remove()
            db.engine.dispose()
    for name in found.homeless:
        click.echo(f"{name}: below no project, since its name has one part only, or is no name that clients use", err=True)
    click.echo(document.written({"projects": [{"name": name} for name in found.projects]}), nl=False)


def _password() -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\n")


def _text(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")


COMMANDS = (export, diff, apply, import_harbor, convert, adopt)
