"""Fixtures for all tests. `--database postgresql` or `mariadb` runs them on a real server that they start themselves."""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from hypothesis import settings as hypothesis_settings

from authsvc.core import sealing
from authsvc.core.base import create_base
from authsvc.core.crypto import write_private
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.token.keys import KeyStore
from authsvc.wsgi import Front
from tests.support.console import Run, runner
from tests.support.databases import (
    Databases,
    MariaDatabases,
    PostgresDatabases,
    SqliteDatabases,
    mariadb_server,
    postgres_server,
)
from tests.support.ports import NOWHERE
from tests.support.quick import begin_quickly
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.rounds import THOROUGH
from tests.support.world import World

# Directories and files about what databases do, and about many at once.
OF_DATABASES = frozenset(
    {"conformance", "core", "jobs", "test_crowds.py", "test_everywhere.py", "test_races.py", "test_recorder.py", "test_rules.py"}
)
# Of other things: halves leave them out, since one walk over all pages asks for what pages ask a database.
NOT_IN_HALVES = frozenset({"ui", "test_keyless.py", "test_oidc.py"})
# What takes longest begins first, so that at the end nobody waits for it alone.
LONGEST = ("test_compose.py", "test_tree.py", "test_load.py")
BUILDERS = frozenset(f"tests.support.{name}" for name in ("chart", "clients", "gotools", "registry3"))
ADDRESSES = ("token_address", "api_address", "webhook_address", "registry_address", "cache_address")

# No test fails since the machine is busy, nor once in a hundred runs by an example that nobody sees again.
hypothesis_settings.register_profile("tests", deadline=None, derandomize=not THOROUGH, database=None)
hypothesis_settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgresql", "mariadb"], default="sqlite")
    half = "every second file only, beginning with the first or second; all that are about databases, and none of what is about other things"
    parser.addoption("--half", choices=["first", "second"], help=half)


_OWN = pytest.StashKey[str]()  # the directory that we have made


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A directory of this run's own: pytest closes the one that all runs share to other users, whenever one begins, and nginx reads
    blobs as another user. Without `_` in its name: podman takes the path of a layout for an image's name, where it may not be
    just anywhere."""
    if not hasattr(config, "workerinput") and not config.option.basetemp:
        own = Path(tempfile.gettempdir()) / f"tidegate-tests-{secrets.token_hex(6)}"
        own.mkdir(mode=0o700)
        config.stash[_OWN] = config.option.basetemp = str(own)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What failed stays to be looked at."""
    if _OWN in session.config.stash and exitstatus == 0:
        shutil.rmtree(session.config.stash[_OWN], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What tests have measured, for whoever reads: nothing depends on it."""
    figures = [pair for report in terminalreporter.getreports("passed") for pair in report.user_properties]
    if figures:
        terminalreporter.section("figures")
    for name, value in figures:
        terminalreporter.write_line(f"{name}: {value}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if THOROUGH:
            item.add_marker(pytest.mark.timeout(0), append=False)
        elif item.get_closest_marker("timeout") is None:
            if _may_build(item):
                item.add_marker(pytest.mark.timeout(1800))
            elif "live" in item.path.parts:
                item.add_marker(pytest.mark.timeout(180))
    items.sort(key=lambda item: item.path.name not in LONGEST)
    if config.getoption("--database") != "sqlite":
        _keep(config, items, [item for item in items if _knows_a_database(item)])
    if half := config.getoption("--half"):
        files = sorted({item.path for item in items if NOT_IN_HALVES.isdisjoint(item.path.parts)})
        chosen = set(files[half == "second" :: 2])
        _keep(config, items, [item for item in items if item.path in chosen or not OF_DATABASES.isdisjoint(item.path.parts)])


def _keep(config: pytest.Config, items: list[pytest.Item], kept: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _may_build(item: pytest.Item) -> bool:
    """What uses programs that are built before they first run, on a machine that has not got them yet."""
    used = vars(getattr(item, "module", object)).values()
    return any(isinstance(module, ModuleType) and module.__name__ in BUILDERS for module in used)


def _knows_a_database(item: pytest.Item) -> bool:
    """What does not has nothing to say about the second and third one."""
    return "databases" in getattr(item, "fixturenames", ()) and item.get_closest_marker("once") is None


@pytest.fixture(scope="session", autouse=True)
def _quick_beginnings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        begin_quickly(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_world_only() -> Iterator[None]:
    """What runs on the default ports is somebody's installation."""
    defaults = [getattr(Settings(), name) for name in ADDRESSES]
    forbidden = {int(address.rpartition(":")[2]) for address in defaults} | {Settings().http_port, Settings().https_port}
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        assert not isinstance(address, tuple) or address[1] not in forbidden, f"a test asks {address}"
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", checked)
        yield


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    directory = tmp_path_factory.mktemp("databases")
    match request.config.getoption("--database"):
        case "postgresql":
            with postgres_server() as port, closing(PostgresDatabases(port, directory)) as made:
                yield made
        case "mariadb":
            with mariadb_server() as port, closing(MariaDatabases(port, directory)) as others:
                yield others
        case _:
            yield SqliteDatabases(directory)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signing keys to copy; making some for each test would only cost time."""
    directory = tmp_path_factory.mktemp("state") / "keys"
    KeyStore(directory).prepare()
    return directory


@pytest.fixture
def make_settings(databases: Databases, keys: Path, tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Settings for a new installation with keys and an empty database."""
    made: list[Settings] = []

    def make(**changes: object) -> Settings:
        made.append(new_settings(databases, keys, tmp_path, **changes))
        return made[-1]

    yield make
    for settings in made:
        databases.forget(settings.database_url)


def new_settings(databases: Databases, keys: Path, directory: Path, **changes: object) -> Settings:
    """Settings for a new installation below a directory, with neighbours where nobody listens: an installation that runs on this
    machine has nothing to do with it."""
    state_dir = directory / "state"
    shutil.copytree(keys, state_dir / "keys", dirs_exist_ok=True)
    given: dict[str, Any] = dict.fromkeys(ADDRESSES, NOWHERE) | changes
    settings = Settings(state_dir=state_dir, database_url=databases.new(), **given)
    sealing.prepare(Layout(settings))
    write_private(Layout(settings).proxy_secret, "shown by nginx")
    return settings


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """What every process stands on, on an empty database."""
    made = create_base(settings)
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The same, entered: what happens in the test is asked of its database."""
    with app.app_context():
        yield app
        db.session.rollback()


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """The application on an empty database, with one administrator: `admin` (id 1)."""
    made = World(Front(settings))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture
def run(world: World) -> Run:
    """The command line on the database of `world`."""
    return runner(world)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    """A real registry without authentication."""
    with plain_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running
