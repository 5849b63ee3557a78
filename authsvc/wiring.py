"""What there is, in one visible place. Importing a module registers nothing; adding a feature is a folder and its lines here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from flask import Blueprint as PageBlueprint

import authsvc.artifacts.routes
import authsvc.artifacts.tasks
import authsvc.audit.routes
import authsvc.gate.catalog
import authsvc.inbox.routes
import authsvc.inbox.tasks
import authsvc.projects.routes
import authsvc.repositories.routes
import authsvc.system.routes
import authsvc.token.routes
import authsvc.token.tasks
import authsvc.users.routes
from authsvc.authn.authenticators import Authenticator
from authsvc.authn.backends import local
from authsvc.core.api import Blueprint
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.jobs.context import Job
from authsvc.token import refresh
from authsvc.token.issuer import Issuer
from authsvc.token.keys import KeyStore

API: Sequence[Blueprint] = [
    authsvc.system.routes.blueprint,
    authsvc.users.routes.blueprint,
    authsvc.token.routes.blueprint,
    authsvc.projects.routes.blueprint,
    authsvc.projects.routes.member_blueprint,
    authsvc.repositories.routes.blueprint,
    authsvc.artifacts.routes.blueprint,
    authsvc.audit.routes.blueprint,
    authsvc.inbox.routes.blueprint,
]
PAGES: Sequence[PageBlueprint] = [authsvc.system.routes.root, authsvc.gate.catalog.blueprint]

# In this order; the last answers for every name.
AUTHENTICATORS: Sequence[Authenticator] = [refresh.authenticate, local.authenticate]

JOBS: dict[str, Job] = {
    "RECONCILE": authsvc.artifacts.tasks.reconcile,
    "PURGE": authsvc.inbox.tasks.purge,
    "ROTATE_TOKEN_KEY": authsvc.token.tasks.rotate_if_due,
}
# How often each runs by itself, in seconds. RECONCILE also runs when a worker starts.
SCHEDULES: dict[str, Callable[[Settings], int]] = {
    "RECONCILE": lambda settings: settings.reconcile_seconds,
    "PURGE": lambda _: 6 * 3600,
    "ROTATE_TOKEN_KEY": lambda _: 12 * 3600,
}


def make_issuer(settings: Settings) -> Issuer:
    """The issuer of this installation."""
    return Issuer(
        KeyStore(Layout(settings).keys),
        issuer=settings.token_issuer,
        audience=settings.token_service,
        lifetime=settings.token_lifetime,
    )


def internal_registry(settings: Settings, issuer: Issuer, process: str) -> RegistryClient:
    """A client of our own registry, on its loopback address, with tokens that name `process` as the actor."""

    def authorize(scope: str) -> str:
        return issuer.internal(process, scope, int(time.time()))

    return RegistryClient(f"http://{settings.registry_address}", authorize)
