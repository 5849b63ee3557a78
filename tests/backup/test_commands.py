"""`authsvc backup` and `authsvc restore`, and the job."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select

from authsvc.audit.models import AuditLog
from authsvc.backup import service, tasks
from authsvc.cli import cli
from authsvc.core.base import create_base
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.settings import Settings, environment
from authsvc.jobs import service as jobs
from authsvc.jobs.models import MANUAL, PENDING, SUCCESS, Execution
from authsvc.jobs.runner import Runner
from authsvc.stack.prepare import prepare
from authsvc.wiring import JOBS
from authsvc.worker import start_due
from tests.backup.house import prepared

pytestmark = pytest.mark.once


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(state_dir=tmp_path / "state", backup_directory=tmp_path / "backups", backup_keep=("1d",))
    prepared(made)
    return made


def run(settings: Settings, *arguments: str, stdin: str = "") -> Result:
    return CliRunner(env=environment(settings)).invoke(cli, arguments, input=stdin)


def test_from_a_key_to_another_host(settings: Settings, tmp_path: Path) -> None:
    identity = tmp_path / "identity"
    done = run(settings, "backup", "key", str(identity))
    assert identity.stat().st_mode & 0o077 == 0
    recipient = done.stderr.partition("TIDEGATE_BACKUP_RECIPIENTS=")[2].split()[0]
    assert run(settings, "backup", "key", str(identity)).exit_code != 0, "it is not written over"
    refused = run(settings, "backup", "create")
    assert "TIDEGATE_BACKUP_RECIPIENTS" in str(refused.exception)
    settings = replace(settings, backup_recipients=(recipient,))
    done = run(settings, "backup", "create")
    assert done.exit_code == 0, done.output
    name = done.stdout.strip()
    (row,) = json.loads(run(settings, "backup", "list", "-o", "json").stdout)
    assert (row["name"], row["blobs"], row["recipients"], row["artifacts"]) == (name, None, [recipient], 0)
    done = run(settings, "backup", "verify", "--read-only", "--identity", str(identity))
    assert f"{name} is whole: 1 users, 1 projects" in done.stdout
    done = run(settings, "backup", "verify", name, "--read-only", "--identity", "-", stdin=identity.read_text())
    assert done.exit_code == 0, done.output
    assert "identity" in str(run(settings, "backup", "verify", "--read-only").exception)
    assert not list((settings.state_dir / "run").glob("backup-*"))
    there = Settings(state_dir=tmp_path / "there", external_url="https://there.example.com")
    done = run(there, "restore", "--from", str(settings.backup_directory), "--identity", str(identity))
    assert done.exit_code == 0, done.output
    assert f"restored {name}" in done.stdout
    assert "it was https://localhost:8443" in done.stdout
    prepare(create_base(there), there)
    assert "admin" in run(there, "users", "list").stdout
    app = create_base(settings)
    with app.app_context():
        assert ("create", "backup", name) in {
            (one.operation, one.resource_type, one.resource) for one in db.session.scalars(select(AuditLog))
        }
        db.session.rollback()
        db.engine.dispose()


def test_the_job_makes_one_and_keeps_what_the_rule_says(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(settings, backup_recipients=("plain",))
    place = service.shelf(settings)
    assert work(settings, replace(settings, backup_directory=None)) == [PENDING], "it waits for a node that can"
    assert work(settings, settings) == [SUCCESS]
    (first,) = place.backups()
    monkeypatch.setattr(service, "utcnow", lambda: utcnow() + timedelta(days=1))
    assert set(work(settings, settings)) == {SUCCESS}
    (second,) = place.backups()
    assert second.name > first.name


def test_it_begins_by_itself_where_it_is_set(settings: Settings) -> None:
    named: dict[str, Any] = {"backup_recipients": ("plain",)}
    for changes, begins in (
        ({}, False),
        (named, True),
        ({**named, "backup_hours": 0}, False),
        ({**named, "backup_directory": None}, False),
    ):
        one = replace(settings, **changes)
        assert bool(tasks.seconds(one)) is begins
        assert (tasks.KIND in started(one)) is begins


def started(settings: Settings) -> set[str]:
    app = create_base(settings)
    with app.app_context():
        with transaction():
            db.session.execute(delete(Execution))
        start_due(settings)
        found = set(db.session.scalars(select(Execution.vendor_type)))
        db.session.rollback()
        db.engine.dispose()
    return found


def work(settings: Settings, node: Settings) -> list[str]:
    """Launch one, and run what waits on a node with these settings; how backups stand."""
    app = create_base(settings)
    with app.app_context():
        with transaction():
            jobs.launch_once(tasks.KIND, MANUAL)
        runner = Runner(JOBS, node, "worker-0")
        while runner.run_next(None):  # type: ignore[arg-type]
            pass
        found = list(db.session.scalars(select(Execution.status).where(Execution.vendor_type == tasks.KIND)))
        db.session.rollback()
        db.engine.dispose()
    return found
