"""`authsvc backup` and `authsvc restore`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from authsvc.artifacts.models import Artifact, Tag
from authsvc.audit import service as audit
from authsvc.backup import service, trial
from authsvc.backup.depot import Depot
from authsvc.backup.keys import Identities, new_identity
from authsvc.backup.shelf import Backup, Shelf
from authsvc.core.base import create_base
from authsvc.core.console import actor, on_database, output_option, show
from authsvc.core.crypto import write_private
from authsvc.core.db import db, reading
from authsvc.core.errors import Conflict, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.repositories.models import Repository
from authsvc.stack import lock
from authsvc.wiring import JOBS, internal_registry, make_issuer

_READ = 200  # tags that a trial reads whole

directory_option = click.option(
    "--from", "directory", type=click.Path(path_type=Path), help="where backups are; TIDEGATE_BACKUP_DIRECTORY unless said"
)
identity_option = click.option(
    "--identity",
    type=click.Path(path_type=Path, exists=True, allow_dash=True),
    help="the file with the key that opens it, or - for standard input; none if it is plain",
)


@click.group()
def backup() -> None:
    """Backups: database, keys, settings and blobs, encrypted."""


@backup.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def key(file: Path) -> None:
    """Make a pair of keys: the private one goes into FILE (-: standard output), the public one into TIDEGATE_BACKUP_RECIPIENTS.

    Keep FILE somewhere else than here, and more than once: nothing else opens the backups.
    """
    private, public = new_identity()
    text = f"# public key: {public}\n{private}\n"
    if str(file) == "-":
        click.echo(text, nl=False)
    elif file.exists():
        raise Conflict(f"{file} is there already")
    else:
        write_private(file, text)
    click.echo(f"TIDEGATE_BACKUP_RECIPIENTS={public}", err=True)
    click.echo("keep the private key elsewhere; without it nobody reads the backups", err=True)


@backup.command()
@click.pass_obj
def create(settings: Settings) -> None:
    """Make a backup now, while everything goes on; the worker does it by itself every TIDEGATE_BACKUP_HOURS."""
    say = lambda line: click.echo(line, err=True)  # noqa: E731
    made = service.create(settings, lambda: None, say)
    _audit(made)
    service.copy(settings, made, lambda: None, say)
    click.echo(made.name)


@on_database
def _audit(made: Backup) -> None:
    audit.record(actor(), "create", "backup", made.name)


@backup.command("list")
@directory_option
@click.option("--copies", is_flag=True, help="those in the bucket that TIDEGATE_BACKUP_BUCKET_FILE describes")
@output_option
@click.pass_obj
def list_(settings: Settings, directory: Path | None, copies: bool, output: str) -> None:
    """The backups that there are, the newest first."""
    place = _depot(settings) if copies else _shelf(settings, directory)
    show((_row(one) for one in place.backups()), output)


@backup.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.argument("name", default="")
@click.pass_obj
def bring(settings: Settings, directory: Path, name: str) -> None:
    """Bring a backup from the bucket into DIRECTORY, to `restore --from` it. NAME: the newest unless said."""
    click.echo(_depot(settings).bring(name, Shelf(directory), lambda line: click.echo(line, err=True)).name)


def _depot(settings: Settings) -> Depot:
    found = service.depot(settings)
    if found is None:
        raise PreconditionFailed("no bucket is set: TIDEGATE_BACKUP_BUCKET_FILE names the file that describes it")
    return found


def _row(one: Backup) -> dict[str, Any]:
    return {
        "name": one.name,
        "made_at": one.made_at,
        "version": one.version,
        "database": one.database,
        "artifacts": one.counts.get("artifacts"),
        "size": one.size,
        "blobs": one.blobs,
        "blob_bytes": one.blob_bytes,
        "recipients": one.recipients,
    }


@backup.command()
@click.pass_obj
def prune(settings: Settings) -> None:
    """Remove backups that TIDEGATE_BACKUP_KEEP does not keep; the worker does it after each one that it makes."""
    place = service.shelf(settings)
    with place.locked():
        for name in place.prune(settings.backup_keep):
            click.echo(name)


@backup.command()
@click.argument("name", default="")
@directory_option
@identity_option
@click.option("--read-only", is_flag=True, help="only read all of it, and start nothing")
@click.pass_obj
def verify(settings: Settings, name: str, directory: Path | None, identity: Path | None, read_only: bool) -> None:
    """Restore a backup beside this installation, start it, and push, pull and read there. NAME: the newest unless said."""
    place, identities = _shelf(settings, directory), Identities.read(identity)
    one, begun = place.find(name), time.monotonic()
    kinds = tuple(JOBS)
    if read_only or not trial.is_possible(settings):
        if not read_only:
            click.echo("nginx and the registry are not here: the backup is read, and not started", err=True)
        if lost := service.damaged(place, one, identities):
            raise trial.TrialFailed(f"{len(lost)} blobs are missing or damaged, such as {lost[0]}")
        with trial.restored(settings, place, replace(one, blobs=None), identities, kinds):
            click.echo(f"{one.name} is whole: {_counted(one)}; read in {time.monotonic() - begun:.1f} s")
        return
    with trial.restored(settings, place, one, identities, kinds) as beside, trial.started(beside) as seconds:
        read = _read_from(beside) if one.blobs is not None else 0
        click.echo(
            f"{one.name} works: {_counted(one)}; up after {seconds:.1f} s, a login, push and pull worked, {read} tags were read;"
            f" {time.monotonic() - begun:.1f} s in all"
        )


def _counted(one: Backup) -> str:
    counted = ", ".join(f"{count} {name}" for name, count in one.counts.items())
    return f"{counted}, {one.blobs} blobs" if one.blobs is not None else f"{counted}; blobs are kept elsewhere"


def _read_from(settings: Settings) -> int:
    """Read the newest tags of what was restored from its registry; how many. Blobs were read when they were brought back.

    Raises:
        TrialFailed
    """
    app = create_base(settings)
    with app.app_context():
        try:
            with reading():
                joined = Tag.artifact_id == Artifact.id, Tag.repository_id == Repository.id
                newest = select(Repository.name, Artifact.digest).where(*joined).order_by(Tag.id.desc()).limit(_READ)
                tags = [(row[0], row[1]) for row in db.session.execute(newest)]
            reader = VersionReader(db.engine)
            try:
                registry = internal_registry(settings, make_issuer(settings, reader), "verify")
                for repository, digest in tags:
                    if registry.manifest(repository, digest) is None:
                        raise trial.TrialFailed(f"{repository}@{digest} is not in what was restored")
            finally:
                reader.close()
        finally:
            db.engine.dispose()
    return len(tags)


@click.command()
@click.argument("name", default="")
@directory_option
@identity_option
@click.option("--replace-master-key", is_flag=True, help="put the backup's in the place of one that nothing needs yet")
@click.pass_obj
def restore(settings: Settings, name: str, directory: Path | None, identity: Path | None, replace_master_key: bool) -> None:
    """Bring an installation back from a backup, on a host, state directory and database where there is none; then `authsvc up`.

    NAME: the newest unless said. Blobs come back where there are none; those that are there are left as they are.
    """
    place = _shelf(settings, directory)
    layout = Layout(settings)
    with lock.held(layout):
        opening = Identities.read(identity)
        found = service.restore(settings, place, place.find(name), opening, replace_master_key=replace_master_key)
    one = found.backup
    click.echo(f"restored {one.name}: {_counted(one)}")
    if found.lost:
        click.echo(
            f"{len(found.lost)} blobs could not be brought back, such as {found.lost[0]}: `authsvc damages` will say whose"
        )
    if one.blobs is not None and not found.has_blobs:
        click.echo(f"the registry stores in {layout.storage or 'a bucket'}, where blobs are already: that is left as it is")
    if settings.external_url != one.external_url:
        click.echo(f"it was {one.external_url} when it was made; here TIDEGATE_EXTERNAL_URL is {settings.external_url}")
    click.echo(f"what was set then is in {found.files}. Start: authsvc up")


def _shelf(settings: Settings, directory: Path | None) -> Shelf:
    return Shelf(directory) if directory is not None else service.shelf(settings)


COMMANDS = (backup, restore)
