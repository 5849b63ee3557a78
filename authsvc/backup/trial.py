"""Whether a backup brings an installation back: it is restored beside this one and started, and proves itself there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import delete, insert

from authsvc.audit.models import AuditOutbox
from authsvc.backup import service
from authsvc.backup.keys import Identities
from authsvc.backup.shelf import Backup, Shelf
from authsvc.configuration.models import ConfigurationValue
from authsvc.core import programs
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction
from authsvc.core.errors import DomainError, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import PREFIX, Settings, environment
from authsvc.jobs.models import PausedQueue, Schedule

_SOURCE = Path(__file__).parents[2]
_UP_WITHIN, _DOWN_WITHIN = 180.0, 60.0  # seconds
_SAYS = "Stop: Ctrl-C"
_NEEDED = "RECONCILE"


class TrialFailed(DomainError):
    """The backup does not bring the installation back; the text says what came instead."""

    code = "PRECONDITION"


@contextmanager
def restored(
    settings: Settings, place: Shelf, backup: Backup, identities: Identities, kinds: tuple[str, ...]
) -> Iterator[Settings]:
    """An installation from a backup, on a SQLite file, ports and a directory of its own; gone afterwards. Nothing that it does is
    felt outside: jobs of `kinds` rest, and nothing is sent.

    Raises:
        PreconditionFailed: there is no room, or the backup cannot be restored.
        TrialFailed: blobs are missing.
    """
    with service.scratch(settings) as directory:
        if shutil.disk_usage(directory).free < backup.blob_bytes + 4 * backup.size:
            raise PreconditionFailed(f"{directory.parent} has not enough room for a trial: TMPDIR names another directory")
        beside = _beside(settings, directory)
        found = service.restore(beside, place, backup, identities)
        if found.lost:
            raise TrialFailed(f"{len(found.lost)} blobs are missing or damaged, such as {found.lost[0]}")
        _quiet(beside, kinds)
        yield beside


def _beside(settings: Settings, directory: Path) -> Settings:
    token, api, webhook, registry, cache, https, http = _free_ports(7)
    return Settings(
        external_url=f"https://localhost:{https}",
        state_dir=directory / "state",
        https_port=https,
        http_port=http,
        token_address=f"127.0.0.1:{token}",
        api_address=f"127.0.0.1:{api}",
        webhook_address=f"127.0.0.1:{webhook}",
        registry_address=f"127.0.0.1:{registry}",
        cache_address=f"127.0.0.1:{cache}",
        registry_program=settings.registry_program,
        token_service=settings.token_service,
        token_issuer=settings.token_issuer,
        drain_seconds=5,
        log_level="warning",
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _quiet(settings: Settings, kinds: tuple[str, ...]) -> None:
    app = create_base(settings)
    with app.app_context():
        try:
            with transaction():
                for table in (AuditOutbox, Schedule, PausedQueue):
                    db.session.execute(delete(table))
                db.session.execute(delete(ConfigurationValue).where(ConfigurationValue.name == "audit_log_forward_endpoint"))
                rest = [{"kind": kind} for kind in kinds if kind != _NEEDED]
                db.session.execute(insert(PausedQueue), rest)
        finally:
            db.engine.dispose()


def is_possible(settings: Settings) -> bool:
    """Whether nginx and the registry are here to be started; in our container they are not."""
    return all(programs.find(program) for program in ("nginx", settings.registry_program))


@contextmanager
def started(settings: Settings) -> Iterator[float]:
    """Run an installation's stack, which tries a login, a push and a pull; seconds until it has.

    Raises:
        TrialFailed: it does not come up, or that failed.
    """
    begun = time.monotonic()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | environment(settings)
    command = [sys.executable, "-m", "authsvc.cli", "up"]
    log = Layout(settings).root / "trial.log"
    with log.open("wb") as output, subprocess.Popen(command, env=environ, cwd=_SOURCE, stdout=output, stderr=output) as process:  # noqa: S603 - ourselves
        try:
            while _SAYS not in (said := log.read_text(errors="replace")):
                if process.poll() is not None or time.monotonic() - begun > _UP_WITHIN:
                    raise TrialFailed(f"what was restored does not start: {said.strip()[-1000:]}")
                time.sleep(0.2)
            if "self-test failed" in said:
                raise TrialFailed(f"what was restored does not work: {said.strip()[:1000]}")
            yield time.monotonic() - begun
        finally:
            process.terminate()
            try:
                process.wait(_DOWN_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
