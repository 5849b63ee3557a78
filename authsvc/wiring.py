"""What there is, in one visible place. Importing a module registers nothing; adding a feature is a folder and its lines here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from flask import Blueprint as PageBlueprint

import authsvc.additions.pages
import authsvc.additions.routes
import authsvc.allowlist.routes
import authsvc.artifacts.check
import authsvc.artifacts.pages
import authsvc.artifacts.routes
import authsvc.artifacts.tasks
import authsvc.audit.pages
import authsvc.audit.routes
import authsvc.audit.tasks
import authsvc.authn.backends.keyless.pages
import authsvc.authn.backends.keyless.routes
import authsvc.authn.backends.ldap.pages
import authsvc.authn.backends.ldap.routes
import authsvc.authn.backends.ldap.tasks
import authsvc.authn.backends.oidc.pages
import authsvc.authn.backends.oidc.routes
import authsvc.authn.backends.oidc.tasks
import authsvc.authn.pages
import authsvc.authn.routes
import authsvc.backup.tasks
import authsvc.configuration.check
import authsvc.configuration.pages
import authsvc.configuration.routes
import authsvc.gate.pages
import authsvc.gate.routes
import authsvc.gate.tasks
import authsvc.gc.pages
import authsvc.gc.tasks
import authsvc.groups.pages
import authsvc.groups.routes
import authsvc.immutability.check
import authsvc.immutability.pages
import authsvc.immutability.routes
import authsvc.inbox.routes
import authsvc.inbox.tasks
import authsvc.jobs.pages
import authsvc.jobs.routes
import authsvc.jobs.tasks
import authsvc.labels.pages
import authsvc.labels.routes
import authsvc.nodes.models
import authsvc.notification.deliveries
import authsvc.notification.pages
import authsvc.notification.quotas
import authsvc.notification.retention
import authsvc.notification.routes
import authsvc.notification.service
import authsvc.notification.tasks
import authsvc.projects.pages
import authsvc.projects.routes
import authsvc.proxy_cache.check
import authsvc.proxy_cache.elsewhere
import authsvc.proxy_cache.routes
import authsvc.proxy_cache.service
import authsvc.proxy_cache.tasks
import authsvc.quota.check
import authsvc.quota.pages
import authsvc.quota.routes
import authsvc.quota.tasks
import authsvc.registries.pages
import authsvc.registries.routes
import authsvc.registries.tasks
import authsvc.replication.events
import authsvc.replication.pages
import authsvc.replication.routes
import authsvc.replication.service
import authsvc.replication.tasks
import authsvc.repositories.routes
import authsvc.retention.pages
import authsvc.retention.routes
import authsvc.retention.tasks
import authsvc.robots.pages
import authsvc.robots.routes
import authsvc.scanners.pages
import authsvc.scanners.routes
import authsvc.scanners.tasks
import authsvc.scanning.check
import authsvc.scanning.events
import authsvc.scanning.everything
import authsvc.scanning.pages
import authsvc.scanning.routes
import authsvc.scanning.scans
import authsvc.scanning.tasks
import authsvc.scanning.telling
import authsvc.secrets.pages
import authsvc.secrets.routes
import authsvc.signatures.check
import authsvc.system.pages
import authsvc.system.routes
import authsvc.token.tasks
import authsvc.ui.pages
import authsvc.users.pages
import authsvc.users.routes
from authsvc.audit.service import Hear
from authsvc.authn.authenticators import Chain
from authsvc.authn.backends import local, robots, scans, secrets
from authsvc.authn.backends.keyless import service as keyless
from authsvc.authn.backends.ldap import backend as ldap
from authsvc.authn.backends.oidc import backend as oidc
from authsvc.authn.backends.oidc import standing as oidc_standing
from authsvc.core.api import Blueprint
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.core.versioning import VersionReader
from authsvc.distribution.client import RegistryClient
from authsvc.gate.checks import Checks, ReadCheck, UploadCheck, WriteCheck
from authsvc.jobs.context import Job
from authsvc.token.issuer import Issuer
from authsvc.token.keys import KeyStore
from authsvc.token.leaves import AnnouncedKeys

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
    authsvc.projects.routes.metadata_blueprint,
    authsvc.projects.routes.member_blueprint,
    authsvc.repositories.routes.blueprint,
    authsvc.artifacts.routes.blueprint,
    authsvc.immutability.routes.blueprint,
    authsvc.labels.routes.blueprint,
    authsvc.additions.routes.blueprint,
    authsvc.allowlist.routes.blueprint,
    authsvc.quota.routes.blueprint,
    authsvc.retention.routes.blueprint,
    authsvc.audit.routes.blueprint,
    authsvc.inbox.routes.blueprint,
    authsvc.gate.routes.decision_blueprint,
    authsvc.jobs.routes.blueprint,
    authsvc.jobs.routes.purge_blueprint,
    authsvc.jobs.routes.gc_blueprint,
    authsvc.registries.routes.blueprint,
    authsvc.replication.routes.blueprint,
    authsvc.notification.routes.blueprint,
    authsvc.scanners.routes.blueprint,
    authsvc.scanning.routes.blueprint,
    authsvc.scanning.routes.all_blueprint,
    authsvc.scanning.routes.hub_blueprint,
]
PAGES: Sequence[PageBlueprint] = [
    authsvc.authn.pages.blueprint,
    authsvc.authn.backends.oidc.pages.blueprint,
    authsvc.system.routes.root,
    authsvc.ui.pages.blueprint,
    authsvc.authn.pages.pages,
    authsvc.users.pages.blueprint,
    authsvc.projects.pages.blueprint,
    authsvc.additions.pages.blueprint,
    authsvc.artifacts.pages.blueprint,
    authsvc.audit.pages.blueprint,
    authsvc.configuration.pages.blueprint,
    authsvc.gc.pages.blueprint,
    authsvc.immutability.pages.blueprint,
    authsvc.jobs.pages.blueprint,
    authsvc.labels.pages.blueprint,
    authsvc.notification.pages.blueprint,
    authsvc.registries.pages.blueprint,
    authsvc.replication.pages.blueprint,
    authsvc.retention.pages.blueprint,
    authsvc.robots.pages.blueprint,
    authsvc.scanners.pages.blueprint,
    authsvc.scanning.pages.blueprint,
    authsvc.secrets.pages.blueprint,
    authsvc.system.pages.blueprint,
    authsvc.authn.backends.keyless.pages.blueprint,
    authsvc.authn.backends.ldap.pages.blueprint,
    authsvc.groups.pages.blueprint,
    authsvc.quota.pages.blueprint,
    authsvc.gate.pages.blueprint,
    authsvc.gate.routes.blueprint,
    authsvc.proxy_cache.routes.blueprint,
]

AUTHENTICATORS = Chain(
    unguessable=[secrets.authenticate, keyless.authenticate, scans.authenticate],
    bearer=[oidc.authenticate_bearer],
    guessable=[robots.authenticate, ldap.authenticate, local.authenticate],
    before=[ldap.refuse_while_down],
    after_wrong=[ldap.even_out],
    confirm=[oidc_standing.confirm],
)

# Asked in this order; the first refusal is the answer. Writes of manifests, steps of uploads, reads of manifests.
GATE_CHECKS: Sequence[WriteCheck] = [
    authsvc.configuration.check.check,
    authsvc.proxy_cache.check.check,
    authsvc.artifacts.check.check,
    authsvc.immutability.check.check,
    authsvc.quota.check.check,
]
UPLOAD_CHECKS: Sequence[UploadCheck] = [
    authsvc.configuration.check.check,
    authsvc.proxy_cache.check.check_upload,
    authsvc.artifacts.check.check_blob,
    authsvc.quota.check.check_upload,
]
READ_CHECKS: Sequence[ReadCheck] = [authsvc.signatures.check.check, authsvc.scanning.check.check]
CHECKS = Checks(GATE_CHECKS, UPLOAD_CHECKS, READ_CHECKS, authsvc.proxy_cache.check.is_here)
ELSEWHERE = authsvc.proxy_cache.elsewhere.Upstream()
# Of what proxy caches bring here themselves.
CACHE_CHECKS = Checks([check for check in GATE_CHECKS if check is not authsvc.proxy_cache.check.check])

# Told of each operation that is audited, in its transaction.
HEARERS: Sequence[Hear] = [
    authsvc.notification.deliveries.hear,
    authsvc.notification.quotas.hear,
    authsvc.replication.events.hear,
    authsvc.scanning.events.hear,
]

JOBS: dict[str, Job] = {
    "RECONCILE": Job(authsvc.artifacts.tasks.reconcile, lasting=True),
    "LDAP_REREAD": Job(authsvc.authn.backends.ldap.tasks.reread),
    "OIDC_CHECK": Job(authsvc.authn.backends.oidc.tasks.recheck),
    authsvc.audit.tasks.KIND: Job(authsvc.audit.tasks.purge, kept=10),
    authsvc.backup.tasks.KIND: Job(authsvc.backup.tasks.back_up, attempts=3, lasting=True, is_here=authsvc.backup.tasks.is_here),
    authsvc.gc.tasks.KIND: Job(authsvc.gc.tasks.collect, lasting=True),
    authsvc.gc.tasks.SWEEP: Job(authsvc.gc.tasks.sweep_due, kept=10),
    authsvc.registries.tasks.KIND: Job(authsvc.registries.tasks.check_health),
    **dict.fromkeys(
        (authsvc.notification.service.KIND, authsvc.notification.deliveries.SLACK),
        Job(authsvc.notification.tasks.deliver, exclusive=False, attempts=authsvc.notification.tasks.ATTEMPTS),
    ),
    "PURGE": Job(authsvc.inbox.tasks.purge),
    "PURGE_DECISIONS": Job(authsvc.gate.tasks.purge, kept=10),
    "RECOMPUTE_QUOTA": Job(authsvc.quota.tasks.recompute),
    authsvc.replication.service.PLAN: Job(
        partial(authsvc.replication.tasks.plan, checks=CHECKS),
        exclusive=False,
        lasting=True,
        attempts=authsvc.replication.tasks.ATTEMPTS,
        tell=authsvc.replication.tasks.note,
    ),
    authsvc.replication.service.KIND: Job(
        partial(authsvc.replication.tasks.run, checks=CHECKS),
        exclusive=False,
        lasting=True,
        attempts=authsvc.replication.tasks.ATTEMPTS,
        start=authsvc.replication.service.start,
        tell=authsvc.replication.tasks.ended,
    ),
    authsvc.proxy_cache.service.KIND: Job(
        partial(authsvc.proxy_cache.tasks.run, checks=CACHE_CHECKS),
        exclusive=False,
        lasting=True,
        attempts=authsvc.proxy_cache.tasks.ATTEMPTS,
    ),
    "RETENTION": Job(
        authsvc.retention.tasks.run,
        exclusive=False,
        lasting=True,
        attempts=3,
        start=authsvc.retention.tasks.start,
        tell=authsvc.notification.retention.finished,
    ),
    authsvc.scanning.scans.KIND: Job(
        authsvc.scanning.tasks.scan,
        exclusive=False,
        lasting=True,
        attempts=authsvc.scanning.tasks.ATTEMPTS,
        kept=1000,
        tell=authsvc.scanning.telling.completed,
        tell_failure=authsvc.scanning.telling.failed,
    ),
    authsvc.scanning.everything.KIND: Job(
        authsvc.scanning.tasks.plan, lasting=True, kept=5, start=authsvc.scanning.everything.start
    ),
    authsvc.scanners.tasks.KIND: Job(authsvc.scanners.tasks.check_health),
    authsvc.scanning.tasks.PURGE: Job(authsvc.scanning.tasks.purge, kept=10),
    "EXECUTION_SWEEP": Job(lambda context: authsvc.jobs.tasks.sweep(context, {kind: job.kept for kind, job in JOBS.items()})),
    "PURGE_SECRETS": Job(authsvc.token.tasks.purge),
}
# How often each runs by itself, in seconds; 0: it does not. RECONCILE also runs when a worker starts.
EVERY: dict[str, Callable[[Settings], int]] = {
    "RECONCILE": lambda settings: settings.reconcile_seconds,
    "LDAP_REREAD": lambda settings: settings.ldap_reread_seconds,
    "OIDC_CHECK": lambda settings: settings.oidc_check_seconds,
    authsvc.backup.tasks.KIND: authsvc.backup.tasks.seconds,
    authsvc.gc.tasks.SWEEP: lambda _: authsvc.gc.tasks.SWEEP_SECONDS,
    authsvc.registries.tasks.KIND: lambda _: 5 * 60,
    authsvc.scanners.tasks.KIND: lambda _: 5 * 60,
    "PURGE": lambda _: 6 * 3600,
    "PURGE_DECISIONS": lambda _: 6 * 3600,
    "RECOMPUTE_QUOTA": lambda _: 24 * 3600,
    "EXECUTION_SWEEP": lambda _: 24 * 3600,
    authsvc.scanning.tasks.PURGE: lambda _: 24 * 3600,
    "PURGE_SECRETS": lambda _: 12 * 3600,
}


def make_issuer(settings: Settings, read_version: VersionReader) -> Issuer:
    """The issuer of this installation."""
    keys = KeyStore(Layout(settings).keys)
    elsewhere = AnnouncedKeys(read_version, lambda: keys.authority)
    return Issuer(keys, issuer=settings.token_issuer, audience=settings.token_service, elsewhere=elsewhere)


def internal_registry(settings: Settings, issuer: Issuer, process: str) -> RegistryClient:
    """A client of our own registry, on its loopback address, with tokens that name `process` as the actor."""

    def authorize(scope: str) -> str:
        return issuer.internal(process, scope, int(time.time()))

    return RegistryClient(f"http://{settings.registry_address}", authorize)
