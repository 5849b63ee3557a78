"""Any registry as an end of a replication, by what its `/v2/` tells.

Sources: OCI distribution spec 1.1 (with "Referrers Tag Schema" and "Pushing Manifests with Subject"), cosign's tags.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from authsvc.artifacts.rules import fallback_tag
from authsvc.core import attended, names
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import OCI_INDEX, Manifest
from authsvc.distribution.untag import untag
from authsvc.registries.remote import Opened
from authsvc.replication.answers import objects
from authsvc.replication.rules import Choice, Found, literal_names

T = TypeVar("T")
_AT_ONCE = 8  # questions to one registry
_COSIGN = ("sig", "att", "sbom")


class Plain:
    """A registry of which nothing is known but its `/v2/`. `look` is called while it is asked much."""

    def __init__(self, opened: Opened, look: Callable[[], object]) -> None:
        self._opened, self._look = opened, look
        self._has_referrers = True

    @property
    def client(self) -> RegistryClient:
        return self._opened.client

    # -- source ----------------------------------------------------------------------------------------------------

    def repositories(self, pattern: str) -> Iterable[str]:
        named = literal_names(pattern)
        return self.client.repositories() if named is None else named

    def artifacts(self, repository: str, choice: Choice) -> Iterator[Found]:
        every = self.client.tags(repository) or []
        chosen = [tag for tag in every if choice.tag(tag) and not _is_attachment(tag)]
        tags: dict[str, list[str]] = {}
        for tag, digest in self._digests(repository, chosen).items():
            tags.setdefault(digest, []).append(tag)
        company = self._at_once(lambda digest: self._attached(repository, digest, frozenset(every)), tags)
        for digest, named in tags.items():
            yield Found(digest, tuple(named), attached=company[digest])

    def is_public(self, repository: str) -> bool:
        return False

    def _digests(self, repository: str, tags: Collection[str]) -> dict[str, str]:
        """Tag -> digest, of those that are there still."""
        found = self._at_once(lambda tag: self.client.digest_of(repository, tag), tags)
        return {tag: digest for tag, digest in found.items() if digest is not None}

    def _at_once(self, ask: Callable[[str], T], about: Iterable[str]) -> dict[str, T]:
        asked = list(about)
        return dict(zip(asked, attended.each(ask, asked, self._look, _AT_ONCE), strict=True))

    def _attached(self, repository: str, digest: str, every: Collection[str]) -> tuple[Found, ...]:
        fallback = fallback_tag(digest)
        tags = [tag for tag in (fallback, *(f"{fallback}.{kind}" for kind in _COSIGN)) if tag in every]
        found = {at: Found(at, (tag,)) for tag in tags if (at := self.client.digest_of(repository, tag)) is not None}
        referring = self.client.referrers(repository, digest) if self._has_referrers else None
        self._has_referrers = referring is not None
        for descriptor in referring or ():
            if names.is_digest(str(descriptor.get("digest"))):
                found.setdefault(descriptor["digest"], Found(descriptor["digest"]))
        return tuple(found.values())

    # -- destination -----------------------------------------------------------------------------------------------

    def tags(self, repository: str, wanted: Collection[str]) -> Mapping[str, str]:
        return self._digests(repository, wanted)

    def held(self, repository: str, digests: Collection[str]) -> frozenset[str]:
        return frozenset(self._digests(repository, digests))

    def holds_blob(self, repository: str, digest: str) -> bool:
        return self.client.blob_size(repository, digest) is not None

    def siblings(self, repository: str, digest: str) -> Sequence[str]:
        return ()

    def prepare(self, repository: str, *, public: bool) -> None:
        """Repositories come with the first push."""

    def admit(self, repository: str, manifest: Manifest) -> None:
        """It says so when it is asked to store it."""

    def put(self, repository: str, reference: str, manifest: Manifest, content: Content) -> None:
        scope = f"repository:{repository}:pull,push"
        path = f"/v2/{repository}/manifests/{reference}"
        said = self.client.transport.write("PUT", path, scope, 201, data=content.data, media_type=manifest.media_type)
        if manifest.subject is not None and "OCI-Subject" not in said.headers:
            self._refer(repository, manifest)

    def _refer(self, repository: str, manifest: Manifest) -> None:
        """A registry without referrers API has an index of them under a tag, kept by whoever pushes one."""
        assert manifest.subject is not None  # noqa: S101 - it is why we are here
        tag = fallback_tag(manifest.subject.digest)
        present = self.client.manifest(repository, tag)
        index = _index(present)
        if any(one.get("digest") == manifest.digest for one in index["manifests"]):
            return
        descriptor: dict[str, Any] = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
        if manifest.artifact_type:
            descriptor["artifactType"] = manifest.artifact_type
        if manifest.annotations:
            descriptor["annotations"] = dict(manifest.annotations)
        index["manifests"].append(descriptor)
        self.client.put_manifest(repository, tag, json.dumps(index).encode(), OCI_INDEX)

    def delete(self, repository: str, reference: str, choice: Choice) -> str:
        if not names.is_digest(reference):
            if self.client.digest_of(repository, reference) is not None:
                untag(self.client, repository, reference)
            return ""
        tags = [tag for tag in self.client.tags(repository) or [] if not choice.tag(tag)]
        kept = next((tag for tag, digest in self._digests(repository, tags).items() if digest == reference), None)
        if kept is not None:
            return f"{repository}@{reference} stays, since it is tagged {kept} there"
        self.client.delete(repository, reference)
        return ""


def _is_attachment(tag: str) -> bool:
    """What clients attach by nothing but a tag."""
    digest, _, kind = tag.partition(".")
    return len(digest) == len("sha256-") + 64 and digest.startswith("sha256-") and kind in ("", *_COSIGN)


def _index(present: Content | None) -> dict[str, Any]:
    try:
        index = json.loads(present.data) if present is not None else {}
    except (ValueError, RecursionError):
        index = {}
    kept = objects(index.get("manifests")) if isinstance(index, dict) else []
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": kept}
