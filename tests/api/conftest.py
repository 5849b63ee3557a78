"""The worlds in which the API is asked, with a real registry behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authsvc.core.settings import Settings
from authsvc.secrets import uses
from authsvc.wsgi import Front
from tests.api.matrix import Matrix, build
from tests.support.registry import PlainRegistry
from tests.support.shelf import Shelf
from tests.support.world import World


@pytest.fixture
def empty(make_settings: Callable[..., Settings], registry: PlainRegistry, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world without anybody, where a password that was right stays known: what a request asks of the database does not depend
    on how long ago that was."""
    monkeypatch.setattr(uses, "_FLUSH_SECONDS", 1e6)  # its thread would take part in transactions that are undone
    address = registry.url.removeprefix("http://")
    world = World(Front(make_settings(registry_address=address, credential_cache_seconds=3600)))
    yield world
    world.close()


@pytest.fixture
def shelf(empty: World, registry: PlainRegistry) -> Shelf:
    """A project in a world whose registry is a real one; `admin` is its administrator."""
    empty.user("admin", sysadmin=True)
    return Shelf(empty, registry)


@pytest.fixture
def matrix(empty: World, registry: PlainRegistry) -> Matrix:
    """Everything that the API speaks of twice, and every kind of caller."""
    return build(empty, registry)
