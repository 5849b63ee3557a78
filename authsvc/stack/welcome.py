"""What `authsvc up` says when all is there: how to log in, what to trust, what to push, and what is not as it should be."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import click

from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack.prepare import ADMIN, Prepared
from authsvc.system import health


@dataclass(frozen=True, slots=True)
class Place:
    """How people reach what runs: what stands before a command of ours, and before a file is printed; where logs are; how to stop
    it."""

    command: str
    printing: str
    logs: str
    stop: str


CONTAINERS = Place(
    "docker-compose exec authsvc ", "docker-compose exec -T authsvc cat", "docker-compose logs", "docker-compose down"
)


def _here(layout: Layout) -> Place:
    return Place("", "cat", str(layout.logs), "Ctrl-C")


def welcome(settings: Settings, ready: Prepared, seconds: float, trouble: str, place: Place | None = None) -> None:
    """Say it, in a place: on this host if none is named; and show the first administrator's password for once."""
    host, place = settings.registry_host, place or _here(ready.layout)
    tried = "a login, push, pull and its record were tried" if not trouble else f"BUT its self-test failed: {trouble}"
    lines = ["", f"Tidegate is up at {settings.external_url} after {seconds:.1f} s; {tried}.", ""]
    is_kept = "JOURNAL_STREAM" in os.environ  # what is said goes into systemd's journal, where secrets do not belong
    if ready.first_password.exists():
        password = f"{ready.first_password.read_text().strip()}   (shown this once; the pages will ask for another one)"
        lines += [
            f"  Log in as   {ADMIN}",
            f"  Password    {f'in {ready.first_password}: read it, and delete the file' if is_kept else password}",
            f"  Change it   {place.command}authsvc users reset-password {ADMIN} --password-stdin",
            "",
        ]
    if settings.own_authority:
        lines += [
            f"  Trust its authority, once on each client:  {place.printing} {ready.layout.ca_certificate} > ca.crt",
            f"    docker      sudo install -D -m 644 ca.crt /etc/docker/certs.d/{host}/ca.crt",
            f"    podman      sudo install -D -m 644 ca.crt /etc/containers/certs.d/{host}/ca.crt",
            f"    containerd  sudo install -D -m 644 ca.crt /etc/containerd/certs.d/{host}/ca.crt   (with config_path set)",
            "",
        ]
    lines += [
        "  Push something:",
        f"    docker login {host} -u {ADMIN}",
        f"    docker tag alpine {host}/library/alpine",
        f"    docker push {host}/library/alpine",
        "",
        f"  API and its documentation: {settings.external_url}/api     Logs: {place.logs}     Stop: {place.stop}",
        "",
    ]
    click.echo("\n".join(lines))
    sys.stdout.flush()
    if not is_kept:
        ready.first_password.unlink(missing_ok=True)


def doubts(settings: Settings) -> None:
    """Say what works and is not as it should be."""
    for part in health.check(settings):
        if part.error or part.warning:
            click.echo(f"  Note: {part.name} {part.error or part.warning}", err=True)
