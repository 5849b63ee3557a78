"""`authsvc upgrade` and `authsvc rollback`, on a file of an older release."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from authsvc.cli import cli
from authsvc.core import copies, schema
from authsvc.core.base import create_base
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import lock

pytestmark = pytest.mark.once

OLD = "0027"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of an older release, in which something is configured."""
    made = Settings(state_dir=tmp_path / "state")
    made.state_dir.mkdir()
    app = create_base(made)
    with app.app_context():
        with db.engine.connect() as connection:
            schema._migrate(connection, OLD)
            connection.commit()
        db.engine.dispose()
    write(made, "first")
    return made


def file(settings: Settings) -> Path:
    return settings.state_dir / "tidegate.db"


def write(settings: Settings, name: str) -> None:
    with closing(sqlite3.connect(file(settings))) as opened, opened:
        opened.execute("INSERT INTO configuration (name, value) VALUES (?, '1')", (name,))


def names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as opened:
        return [row[0] for row in opened.execute("SELECT name FROM configuration ORDER BY name")]


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as opened:
        return str(opened.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner(env={"TIDEGATE_STATE_DIR": str(settings.state_dir)}).invoke(cli, arguments)


def test_there_and_back(settings: Settings) -> None:
    done = run(settings, "upgrade", "--check")
    assert done.exit_code == 10, done.exception
    steps = [line.partition(" ")[0] for line in done.stdout.splitlines()]
    assert steps == [step.revision for step in schema.steps_from(OLD)]
    assert "0028 what the nodes of an installation share" in done.stdout
    assert "the file will be copied" in done.stderr
    assert revision(file(settings)) == OLD
    assert "no copy" in str(run(settings, "rollback").exception)
    assert run(settings, "upgrade").exit_code == 0
    assert revision(file(settings)) == schema.newest()
    assert run(settings, "upgrade", "--check").exit_code == 0
    assert "as it was" in run(settings, "upgrade").stderr
    write(settings, "second")
    assert f"schema {OLD}, before {schema.newest()}" in run(settings, "rollback", "--list").stdout
    done = run(settings, "rollback")
    assert done.exit_code == 0, done.exception
    assert (revision(file(settings)), names(file(settings))) == (OLD, ["first"])
    aside = Path(done.stderr.strip().rpartition(" ")[2])
    assert (revision(aside), names(aside)) == (schema.newest(), ["first", "second"]), "nothing is thrown away"
    assert file(settings).stat().st_mode & 0o077 == 0
    assert run(settings, "upgrade").exit_code == 0, "and there again"


def test_not_while_it_runs(settings: Settings) -> None:
    run(settings, "upgrade")
    with lock.held(Layout(settings)):
        assert "is running" in str(run(settings, "rollback").exception)
    assert revision(file(settings)) == schema.newest()


def test_a_newer_one_is_left_alone(settings: Settings) -> None:
    with closing(sqlite3.connect(file(settings))) as opened, opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (("upgrade",), ("upgrade", "--check")):
        assert "newer Tidegate" in str(run(settings, *arguments).exception)
    assert revision(file(settings)) == "9999"


def test_a_full_disk_is_said_before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    assert "not enough room" in str(run(settings, "upgrade", "--check").exception)


def test_a_new_one_has_nothing_to_lose(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    done = run(settings, "upgrade", "--check")
    assert done.exit_code == 10
    assert "copied" not in done.stderr
    assert copies.of(file(settings)) == []
