"""An installation to make backups of, and another host."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from authsvc.backup import service
from authsvc.backup.keys import new_identity
from authsvc.core.db import utcnow
from authsvc.core.settings import Settings
from tests.backup.house import House
from tests.support.databases import Databases


@pytest.fixture(autouse=True)
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each backup is a day younger than the one before it."""
    counted = iter(range(1000))
    monkeypatch.setattr(service, "utcnow", lambda: utcnow() + timedelta(days=next(counted)))


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """An identity's file, and its public key."""
    private, public = new_identity()
    file = tmp_path / "identity"
    file.write_text(f"# public key: {public}\n{private}\n")
    file.chmod(0o600)
    return file, public


@pytest.fixture
def house(databases: Databases, tmp_path: Path, key: tuple[Path, str]) -> Iterator[House]:
    url = databases.bare()
    yield House(
        Settings(
            state_dir=tmp_path / "old",
            database_url=url,
            backup_directory=tmp_path / "backups",
            backup_recipients=(key[1],),
        ),
        key[0],
    )
    databases.forget(url)


@pytest.fixture
def elsewhere(databases: Databases, tmp_path: Path) -> Iterator[Settings]:
    """Another host, where nothing is."""
    url = databases.bare()
    yield Settings(state_dir=tmp_path / "new", database_url=url)
    databases.forget(url)
