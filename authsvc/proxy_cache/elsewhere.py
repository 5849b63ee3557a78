"""What the other registry of a proxy cache lists, beside what is here. Nobody goes without a list since it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from authsvc.core import names
from authsvc.core.errors import DomainError
from authsvc.distribution.client import RegistryClient
from authsvc.proxy_cache import upstreams

T = TypeVar("T")

log = structlog.get_logger(component="proxy_cache")


class Upstream:
    """`gate.service.Elsewhere`."""

    def tags(self, repository: str) -> Sequence[str]:
        upstream = upstreams.find(repository)
        found = _asked(upstream, lambda client, name: client.tags(name)) if upstream is not None else None
        return [tag for tag in found or () if names.is_tag(tag)]

    def referrers(self, repository: str, digest: str) -> Sequence[Mapping[str, Any]]:
        upstream = upstreams.find(repository)
        if upstream is None or not upstream.terms.refers:
            return ()
        found = _asked(upstream, lambda client, name: client.referrers(name, digest))
        described = (_descriptor(one) for one in found or ())
        return [one for one in described if one is not None]


def _asked(upstream: upstreams.Upstream, ask: Callable[[RegistryClient, str], T | None]) -> T | None:
    if not upstream.is_allowed:
        return None
    try:
        with upstream.asked() as client:
            return ask(client, upstream.name)
    except DomainError as error:
        log.warning("listed_without_the_other", repository=upstream.repository, reason=error.message)
        return None


def _descriptor(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """What strangers say of a manifest, as far as it is of the right kind; None: it is none."""
    digest, size, annotations = said.get("digest"), said.get("size"), said.get("annotations")
    if not isinstance(digest, str) or not names.is_digest(digest) or not isinstance(size, int):
        return None
    texts = {name: said[name] for name in ("mediaType", "artifactType") if isinstance(said.get(name), str)}
    kept = {key: value for key, value in annotations.items() if isinstance(value, str)} if isinstance(annotations, dict) else {}
    return {"mediaType": "", **texts, "digest": digest, "size": size, **({"annotations": kept} if kept else {})}
