"""What the registry says about an event, asked outside any transaction."""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.artifacts.intake import Fetched, fetch
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import ACCEPTED
from webhook.envelope import RegistryEvent

# The registry tells of a push before it writes the tag. A tag that does not point where the event says is looked at
# again after these waits (seconds); then what the registry has is the truth, whoever came in between.
_SECOND_LOOKS = (0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the registry says about an event: its manifest, what its tag points to now, whether it is gone."""

    event: RegistryEvent
    manifest: Fetched | None = None
    tagged: Fetched | None = None
    tag_is_gone: bool = False
    is_gone: bool = False
    look_again: float | None = None


def look(client: RegistryClient, event: RegistryEvent, attempts: int = 0) -> Finding:
    """Ask the registry what there is to know about an event that was looked at `attempts` times before.

    Raises:
        Unavailable: it does not answer.
        ManifestInvalid: it holds something that we cannot read.
    """
    if event.action == "delete":
        return _look_at_deletion(client, event)
    if event.action != "push" or event.media_type not in ACCEPTED:
        return Finding(event)
    manifest = fetch(client, event.repository, event.digest)
    now_tagged = client.digest_of(event.repository, event.tag) if event.tag else None
    if not event.tag or now_tagged == event.digest:
        return Finding(event, manifest, tagged=manifest if event.tag else None, is_gone=manifest is None)
    tagged = fetch(client, event.repository, now_tagged) if now_tagged else None
    waits = _SECOND_LOOKS[attempts:]
    return Finding(
        event,
        manifest,
        tagged,
        tag_is_gone=tagged is None and not waits,
        is_gone=manifest is None,
        look_again=waits[0] if waits else None,
    )


def _look_at_deletion(client: RegistryClient, event: RegistryEvent) -> Finding:
    if event.digest:
        return Finding(event, is_gone=client.digest_of(event.repository, event.digest) is None)
    digest = client.digest_of(event.repository, event.tag)
    tagged = fetch(client, event.repository, digest) if digest else None
    return Finding(event, tagged=tagged, tag_is_gone=tagged is None)
