"""The two ends of a replication, whatever is there: what they are asked for, and nothing else.

One of them is our own registry (`replication.local`), the other one of `replication.adapters`. Manifests and blobs are read
and written by each end's `client`; what they hold, and how it gets there, each knows in its own way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import Manifest
from authsvc.replication.rules import Choice, Found


class Source(Protocol):
    """Where images come from. Everything raises `Unavailable` if nobody answers."""

    @property
    def client(self) -> RegistryClient:
        """Of its `/v2/`."""

    def repositories(self, pattern: str) -> Iterable[str]:
        """The repositories that may match a pattern, by their whole names; more of them do no harm."""

    def artifacts(self, repository: str, choice: Choice) -> Iterable[Found]:
        """What a repository holds, as far as it can be chosen; what is attached to something comes with that."""

    def is_public(self, repository: str) -> bool:
        """Whether anybody may read there."""


class Destination(Protocol):
    """Where images go. Everything raises `Unavailable` if nobody answers."""

    @property
    def client(self) -> RegistryClient:
        """Of its `/v2/`."""

    def tags(self, repository: str, wanted: Collection[str]) -> Mapping[str, str]:
        """What these tags point to there, by digest; of those that there are."""

    def held(self, repository: str, digests: Collection[str]) -> frozenset[str]:
        """Which of these manifests are there."""

    def holds_blob(self, repository: str, digest: str) -> bool:
        """Whether a blob is there, and will stay until it is needed."""

    def siblings(self, repository: str, digest: str) -> Sequence[str]:
        """Other repositories there that hold a blob, and from which this one may have it; a few of those that are known."""

    def prepare(self, repository: str, *, public: bool) -> None:
        """Make the project that a repository belongs to, if there is none, and if there are such things.

        Raises:
            DomainError: it cannot be made.
        """

    def admit(self, repository: str, manifest: Manifest) -> None:
        """Before anything of an artifact is sent.

        Raises:
            DomainError: it would not be taken.
        """

    def put(self, repository: str, reference: str, manifest: Manifest, content: Content) -> None:
        """Store a manifest under a tag or digest.

        Raises:
            DomainError: it is not taken.
        """

    def delete(self, repository: str, reference: str, choice: Choice) -> str:
        """Delete a tag; or an artifact, if all of its tags are chosen. What was not done, and why; "" if it was.

        Raises:
            DomainError
        """
