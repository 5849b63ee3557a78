"""What there is, in one visible place. Importing a module registers nothing; adding a feature is a folder and its lines here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from flask import Blueprint as PageBlueprint

import authsvc.artifacts.routes
import authsvc.artifacts.tasks
import authsvc.audit.routes
import authsvc.authn.backends.keyless.routes
import authsvc.authn.backends.ldap.routes
import authsvc.authn.backends.ldap.tasks
import authsvc.authn.backends.oidc.pages
import authsvc.authn.backends.oidc.routes
import authsvc.authn.pages
import authsvc.authn.routes
import authsvc.configuration.routes
import authsvc.gate.catalog
import authsvc.groups.routes
import authsvc.inbox.routes
import authsvc.inbox.tasks
import authsvc.projects.routes
import authsvc.repositories.routes
import authsvc.robots.routes
import authsvc.secrets.routes
import authsvc.system.routes
import authsvc.token.tasks
import authsvc.users.routes
from authsvc.authn.authenticators import Chain
from authsvc.authn.backends import local, robots, secrets
from authsvc.authn.backends.keyless import service as keyless
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.authn.backends.oidc import backend as oidc
from authsvc.core.api import Blueprint
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.jobs.context import Job
from authsvc.token.issuer import Issuer
from authsvc.token.keys import KeyStore

API: Sequence[Blueprint] = [
    authsvc.system.routes.blueprint,
    authsvc.users.routes.blueprint,
    authsvc.secrets.routes.blueprint,
    authsvc.authn.routes.blueprint,
    authsvc.groups.routes.blueprint,
    authsvc.authn.backends.ldap.routes.blueprint,
    authsvc.authn.backends.oidc.routes.blueprint,
    authsvc.authn.backends.keyless.routes.blueprint,
    authsvc.configuration.routes.blueprint,
    authsvc.robots.routes.blueprint,
    authsvc.robots.routes.v1_blueprint,
    authsvc.projects.routes.blueprint,
    authsvc.projects.routes.member_blueprint,
    authsvc.repositories.routes.blueprint,
    authsvc.artifacts.routes.blueprint,
    authsvc.audit.routes.blueprint,
    authsvc.inbox.routes.blueprint,
]
PAGES: Sequence[PageBlueprint] = [
    authsvc.authn.pages.blueprint,
    authsvc.authn.backends.oidc.pages.blueprint,
    authsvc.system.routes.root,
    authsvc.gate.catalog.blueprint,
]

AUTHENTICATORS = Chain(
    unguessable=[secrets.authenticate, keyless.authenticate],
    bearer=[oidc.authenticate_bearer],
    guessable=[robots.authenticate, ldap.authenticate, local.authenticate],
    before=[ldap.refuse_while_down],
    after_wrong=[ldap.even_out],
)

JOBS: dict[str, Job] = {
    "RECONCILE": authsvc.artifacts.tasks.reconcile,
    "LDAP_REREAD": authsvc.authn.backends.ldap.tasks.reread,
    "PURGE": authsvc.inbox.tasks.purge,
    "ROTATE_TOKEN_KEY": authsvc.token.tasks.rotate_if_due,
}
# How often each runs by itself, in seconds. RECONCILE also runs when a worker starts.
SCHEDULES: dict[str, Callable[[Settings], int]] = {
    "RECONCILE": lambda settings: settings.reconcile_seconds,
    "LDAP_REREAD": lambda settings: settings.ldap_reread_seconds,
    "PURGE": lambda _: 6 * 3600,
    "ROTATE_TOKEN_KEY": lambda _: 12 * 3600,
}


def make_issuer(settings: Settings) -> Issuer:
    """The issuer of this installation."""
    return Issuer(
        KeyStore(Layout(settings).keys),
        issuer=settings.token_issuer,
        audience=settings.token_service,
    )


def internal_registry(settings: Settings, issuer: Issuer, process: str) -> RegistryClient:
    """A client of our own registry, on its loopback address, with tokens that name `process` as the actor."""

    def authorize(scope: str) -> str:
        return issuer.internal(process, scope, int(time.time()))

    return RegistryClient(f"http://{settings.registry_address}", authorize)
