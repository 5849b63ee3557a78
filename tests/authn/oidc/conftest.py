"""A provider, the application that knows it, and people at browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.authn.oidc.people import URL, Person
from tests.support.oidc_provider import OidcProvider, oidc_provider
from tests.support.world import World


@pytest.fixture(scope="session")
def oidc() -> Iterator[OidcProvider]:
    with oidc_provider(URL) as running:
        yield running


@pytest.fixture
def login_world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",), external_url=URL)))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture
def person(login_world: World) -> Iterator[Callable[[str], Person]]:
    made: list[Person] = []

    def make(name: str) -> Person:
        made.append(Person(login_world, name))
        return made[-1]

    yield make
    for one in made:
        one.close()
