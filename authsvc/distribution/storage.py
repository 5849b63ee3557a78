"""The registry's storage: the layout of registry 2 and 3 below `docker/registry/v2`, in a directory or a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

TREE = "docker/registry/v2"
PARTS = ("_manifests", "_layers", "_uploads")  # what a repository has


def links(repository: str, digest: str, tag: str) -> Iterator[str]:
    """The paths, below `TREE`, of what points to a manifest; the one by which it is found comes last."""
    here, name = f"repositories/{repository}/_manifests", digest.replace(":", "/")
    yield f"{here}/revisions/{name}/link"
    if tag:
        yield f"{here}/tags/{tag}/index/{name}/link"
        yield f"{here}/tags/{tag}/current/link"


def nothing() -> None:
    """What is asked between steps, where nobody minds how many there are."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that is there: its bytes, and when it came or was last written to."""

    digest: str
    size: int
    modified: datetime


class Storage(Protocol):
    """What is done to it beside the registry: outside of transactions, since a bucket is asked over the network."""

    @property
    def provider(self) -> str:
        """The registry's own name of its driver."""

    def has_manifests(self, project: str) -> bool:
        """Whether a repository of a project has a manifest.

        Raises:
            Unavailable: the storage does not answer.
        """

    def take_project(self, project: str, keep_going: Callable[[], None] = nothing) -> bool:
        """Take away all that repositories of a project have: links to blobs, and uploads. False if that is not possible.
        `keep_going` is asked before each step, and may end it by whatever it raises."""

    def take_repository(self, repository: str, keep_going: Callable[[], None] = nothing) -> bool:
        """The same of one repository, and not of those below it."""

    def put_manifest(self, repository: str, digest: str, data: bytes, tag: str = "") -> bool:
        """Store a manifest, and let a tag point to it, as the registry does after it has looked whether all is there that the
        manifest names. False where that is not possible.

        Raises:
            Unavailable
        """

    def clear_removed(self) -> None:
        """Remove what was taken away; however long that takes, it is out of sight."""

    def all_blobs(self) -> Iterator[list[Stored]]:
        """All blobs, some at a time.

        Raises:
            Unavailable
        """

    def all_manifests(self) -> Iterator[tuple[str, set[str]]]:
        """Repositories, and the digests of the manifests that each has.

        Raises:
            Unavailable
        """

    def content(self, digest: str, limit: int) -> bytes | None:
        """A blob of at most so many bytes; None if it is not there, or larger.

        Raises:
            Unavailable
        """

    def remove_blobs(self, digests: Sequence[str], still: Callable[[], None] = nothing) -> list[str]:
        """Remove blobs, whatever links to them; the digests of those that are still there. One that is gone already is gone.
        `still` is asked before each step, and may end it by whatever it raises."""
