"""Fixtures for all tests. `--database postgresql` runs them on a real PostgreSQL server that they start themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authsvc.core import sealing
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.token.keys import KeyStore
from authsvc.wsgi import Front
from tests.support.databases import Databases, PostgresDatabases, SqliteDatabases, postgres_server
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgresql"], default="sqlite")


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    directory = tmp_path_factory.mktemp("databases")
    if request.config.getoption("--database") == "sqlite":
        yield SqliteDatabases(directory)
        return
    with postgres_server() as port:
        yield PostgresDatabases(port, directory)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signing keys to copy; making some for each test would only cost time."""
    directory = tmp_path_factory.mktemp("state") / "keys"
    KeyStore(directory).prepare()
    return directory


@pytest.fixture
def make_settings(databases: Databases, keys: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings for a new installation with keys and an empty database."""

    def make(**changes: object) -> Settings:
        state_dir = tmp_path / "state"
        shutil.copytree(keys, state_dir / "keys", dirs_exist_ok=True)
        settings = Settings(state_dir=state_dir, database_url=databases.new(), **changes)  # type: ignore[arg-type]
        sealing.prepare(Layout(settings))
        return settings

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """The application on an empty database, with one administrator: `admin` (id 1)."""
    made = World(Front(settings))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    """A real registry without authentication."""
    with plain_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running
