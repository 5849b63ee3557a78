"""An application with whoever may come to it: people, a provider's people, robots and jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.support.issuer import CiIssuer, ci_issuer
from tests.support.world import World
from tests.threats.credentials import URL, Wallet


@pytest.fixture(scope="session")
def issuer() -> Iterator[CiIssuer]:
    with ci_issuer() as running:
        yield running


@pytest.fixture
def town(make_settings: Callable[..., Settings]) -> Iterator[World]:
    """Alice's private `web` and Bob's private `payroll`; mallory holds no role. Issuers and providers may be on loopback."""
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",), external_url=URL)))
    made.user("admin", sysadmin=True)
    made.project("web", made.user("alice"))
    made.project("payroll", made.user("bob"))
    made.user("mallory")
    yield made
    made.close()


@pytest.fixture
def wallet(town: World, issuer: CiIssuer) -> Wallet:
    return Wallet(town, issuer)
