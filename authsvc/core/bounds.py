"""What settings cannot be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authsvc.core import addresses

if TYPE_CHECKING:
    from authsvc.core.settings import Settings

# A host, with a port or without (it stands in nginx' configuration), and a project.
_PAIR = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?=[a-z0-9]+([._-][a-z0-9]+)*", re.ASCII)
_KEPT = re.compile(r"[1-9]\d{0,3}[dwmy]")
_LENGTHS = ("credential_cache_seconds", "gc_grace_seconds", "oidc_grace_seconds", "proxy_cache_seconds")
_LOGIN = ("login_attempts", "login_attempts_per_address", "login_window_seconds", "registrations_per_address")


def problems(settings: Settings) -> Iterator[str]:
    """What is wrong with them, a sentence each."""
    yield from _out_of_range(settings)
    yield from _not_an_address(settings)
    yield from _no_mirror(settings)
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        yield "tls_certificate and tls_key go together"
    if settings.log_level not in ("debug", "info", "warning", "error"):
        yield "log_level must be debug, info, warning or error"


def _out_of_range(settings: Settings) -> Iterator[str]:
    for name in (
        "token_workers",
        "api_workers",
        "refresh_token_days",
        "session_hours",
        "reconcile_seconds",
        "ldap_reread_seconds",
        "oidc_check_seconds",
        "job_workers",
        *_LOGIN,
    ):
        if getattr(settings, name) < 1:
            yield f"{name} must be at least 1"
    for name in (*_LENGTHS, "identity_days", "backup_hours"):
        if getattr(settings, name) < 0:
            yield f"{name} must be at least 0"
    if not 0 <= settings.traces_percent <= 100:
        yield "traces_percent must be 0 to 100"
    if wrong := [part for part in settings.backup_keep if not _KEPT.fullmatch(part)]:
        yield f"backup_keep: {wrong[0]!r} is no number of days, weeks, months or years such as 7d, 4w, 6m, 2y"


def _no_mirror(settings: Settings) -> Iterator[str]:
    for name in ("mirror_hosts", "mirror_namespaces"):
        for pair in getattr(settings, name):
            if not _PAIR.fullmatch(pair) or (name == "mirror_hosts" and ":" in pair):
                yield f"{name}: {pair!r} does not look like docker.io=hub"
    if urlsplit(settings.external_url).hostname in settings.mirrors:
        yield "mirror_hosts: the registry's own host is none, since names there begin with a project"


def _not_an_address(settings: Settings) -> Iterator[str]:
    optional = ["metrics_address"] if settings.metrics_address else []
    for name in ("token_address", "api_address", "webhook_address", "registry_address", "cache_address", *optional):
        try:
            addresses.parse(getattr(settings, name))
        except ValueError:
            yield f"{name} must be host:port, or [host]:port for IPv6"
    if settings.traces_endpoint and urlsplit(settings.traces_endpoint).scheme not in ("http", "https"):
        yield "traces_endpoint must look like http://collector:4318"
    for host in settings.listen_hosts:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            yield f"listen_address: {host!r} is no IP address"
    for name in ("trusted_proxies", "outgoing_allow"):
        for network in getattr(settings, name):
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                yield f"{name}: {error}"
