"""Notification envelopes of registry 2.8 and 3.x, parsed once at the border. Pure.

Source: distribution "Notifications". 3.x sends "" and 0 where 2.8 leaves a field out, so those read alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from authsvc.core.addresses import host_of
from authsvc.core.names import INTERNAL_PREFIX, MARKER, is_digest, is_repository, is_tag
from authsvc.core.origin import unmarked
from authsvc.core.text import is_storable

MAX_BYTES = 5 * 1024 * 1024
MAX_EVENTS = 1000
_LONGEST = 1024  # characters of a text that is kept
ACTIONS = frozenset({"push", "pull", "mount", "delete"})


class EnvelopeInvalid(ValueError):
    """Nothing that a registry sends; the text says why."""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event as it is stored: under the registry's id, or one made of its content where it has none."""

    event_id: str
    body: str


@dataclass(frozen=True, slots=True)
class RegistryEvent:
    """One event, understood. `digest` and `tag` are "" where the event has none; `actor` is "" for anonymous."""

    action: str
    repository: str
    digest: str
    tag: str
    media_type: str
    at: datetime
    actor: str
    address: str
    user_agent: str
    method: str
    request_id: str
    instance: str  # of the registry's process, which takes a new one at each start

    @property
    def is_our_own(self) -> bool:
        """One of us looked, as the reconciler does at each tag, or saw to our marker: nothing to record, and nothing to keep."""
        return self.repository == MARKER or (self.action == "pull" and self.actor.startswith(INTERNAL_PREFIX))


def split(data: bytes) -> Iterator[RawEvent]:
    """The events of an envelope, each by itself, so that one bad event spoils no other.

    Raises:
        EnvelopeInvalid: not an envelope at all, or with too many events.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EnvelopeInvalid("not JSON") from error
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise EnvelopeInvalid("no list of events")
    if len(events) > MAX_EVENTS:
        raise EnvelopeInvalid(f"more than {MAX_EVENTS} events")
    for event in events:
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=True)
        given = event.get("id") if isinstance(event, dict) else None
        usable = isinstance(given, str) and 0 < len(given) <= 128 and given.isascii() and given.isprintable()
        yield RawEvent(str(given) if usable else fingerprint(body.encode()), body)


def fingerprint(data: bytes) -> str:
    """An id for something that has none: the same content gets the same one."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse(body: str) -> RegistryEvent:
    """Understand one event.

    Raises:
        EnvelopeInvalid: a field is missing or is not what it has to be; the text names it.
    """
    event = _object(json.loads(body), "event")
    target, request, actor = (_object(event.get(key, {}), key) for key in ("target", "request", "actor"))
    user_agent, request_id = unmarked(_whole_text(request, "useragent"))
    source = event.get("source")
    action, repository = _text(event, "action"), _text(target, "repository")
    digest, tag = _text(target, "digest"), _text(target, "tag")
    if action not in ACTIONS:
        raise EnvelopeInvalid(f"unknown action {action[:40]!r}")
    if not is_repository(repository) and repository != MARKER:
        raise EnvelopeInvalid(f"not a repository name that we give out: {repository[:80]!r}")
    if digest and not is_digest(digest):
        raise EnvelopeInvalid(f"not a digest: {digest[:80]!r}")
    if tag and not is_tag(tag):
        raise EnvelopeInvalid(f"not a tag: {tag[:80]!r}")
    if not digest and not (tag and action == "delete"):
        raise EnvelopeInvalid("no digest")
    return RegistryEvent(
        action=action,
        repository=repository,
        digest=digest,
        tag=tag,
        media_type=_text(target, "mediaType"),
        at=_time(_text(event, "timestamp")),
        actor=_text(actor, "name"),
        address=host_of(_text(request, "addr")),
        user_agent=user_agent[:_LONGEST],
        method=_text(request, "method"),
        request_id=request_id or _text(request, "id"),
        instance=_text(source, "instanceID") if isinstance(source, dict) else "",
    )


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EnvelopeInvalid(f"{name} is not an object")
    return value


def _text(values: dict[str, Any], key: str) -> str:
    return _whole_text(values, key)[:_LONGEST]


def _whole_text(values: dict[str, Any], key: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str) or not is_storable(value):
        raise EnvelopeInvalid(f"{key} is not text")
    return value


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:  # of the latter are times before the year 1 and after 9999
        raise EnvelopeInvalid(f"timestamp {text[:40]!r} is not RFC 3339") from error
