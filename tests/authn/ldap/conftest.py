from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.authn import sources
from tests.support.faultproxy import FaultProxy, fault_proxy
from tests.support.slapd import Slapd, slapd
from tests.support.world import World


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A real slapd, shared by the tests; who changes it puts it back."""
    path: Path = tmp_path_factory.mktemp("slapd")
    with slapd(path / "server") as running:
        yield running


@pytest.fixture(name="directory_server")
def same_directory(directory: Slapd) -> Slapd:
    """The same, for tests where `directory` is our module."""
    return directory


@pytest.fixture
def connected(world: World, directory: Slapd) -> World:
    """The application with that directory."""
    with world.changes():
        sources.save("test", "ldap", "default", directory.settings())
    return world


@pytest.fixture
def proxied(world: World, directory: Slapd) -> Iterator[FaultProxy]:
    """The application with that directory behind a proxy that makes faults."""
    with fault_proxy(directory.tls_port) as proxy:
        with world.changes():
            sources.save("test", "ldap", "default", directory.settings(ldap_url=f"ldaps://localhost:{proxy.port}"))
        yield proxy
