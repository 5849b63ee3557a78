"""What there is, from the index: the catalog, a repository's tags, and what refers to a manifest.

Source: OCI distribution spec 1.1, "Listing Tags" and "Listing Referrers"; distribution HTTP API V2, "Listing Repositories".
Everything is sorted by bytes; `last` need not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authsvc.artifacts import accessories
from authsvc.artifacts import service as artifacts
from authsvc.artifacts.models import Artifact
from authsvc.core.db import db
from authsvc.distribution.manifest import INDEXES, OCI_INDEX
from authsvc.gate.checks import Refusal, Refused
from authsvc.rbac.principal import Principal
from authsvc.repositories import service as repositories
from authsvc.token.grants import REPOSITORY_ACTIONS

_MOST_REPOSITORIES = 1000
_MOST_TAGS = 10_000
_MOST_REFERRERS = 1000  # an answer of at most 4 MiB in all but strange cases, as the specification wants it


@dataclass(frozen=True, slots=True)
class Listing:
    """A body, and the query of the next page; None if there is none."""

    body: dict[str, Any]
    following: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for: at most `size` entries (None: all) behind `last`."""

    size: int | None
    last: str

    @property
    def limit(self) -> int | None:
        """One more than is shown, to see whether there is more."""
        return None if self.size is None else self.size + 1

    def following(self, found: int, shown: Sequence[str], **others: str) -> str | None:
        """The query of the next page, behind the last that is shown, if more was found than that."""
        if not shown or found <= len(shown):
            return None
        return urlencode({**others, "last": shown[-1], "n": len(shown)})


def page(query: Mapping[str, str], most: int, default: int | None) -> Page:
    """Parse `n` and `last`; `default`: without `n`.

    Raises:
        Refused
    """
    text, last = query.get("n"), query.get("last", "")
    if text is None:
        return Page(default, last)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(Refusal(400, "PAGINATION_NUMBER_INVALID", "n is a number of at least 0", "registry API"))
    return Page(min(int(text), most), last)


def catalog(who: Principal, query: Mapping[str, str]) -> Listing:
    """The repositories with anything in them that `who` may pull.

    Raises:
        Refused
    """
    asked = page(query, _MOST_REPOSITORIES, default=_MOST_REPOSITORIES)
    statement = artifacts.names_of_filled(repositories.in_reach(who, REPOSITORY_ACTIONS["pull"]), asked.last)
    found = list(db.session.scalars(statement.limit(asked.limit)))
    shown = found[: asked.size]
    return Listing({"repositories": shown}, asked.following(len(found), shown))


def tags(name: str, query: Mapping[str, str], also: Collection[str] = ()) -> Listing:
    """A repository's tags, and those that there are `also`; without `n` all of them: there are clients that know of no pages.

    Raises:
        Refused: there is no such repository.
    """
    asked = page(query, _MOST_TAGS, default=None)
    repository = repositories.find(name)
    if repository is None and not also:
        raise Refused(Refusal(404, "NAME_UNKNOWN", f"repository {name} is not known to the registry", "registry API"))
    found: list[str] = []
    if repository is not None:
        found = list(db.session.scalars(artifacts.tag_names(repository, asked.last).limit(asked.limit)))
    if also:
        found = sorted({*found, *(tag for tag in also if tag > asked.last)})
    shown = found[: asked.size]
    return Listing({"name": name, "tags": shown}, asked.following(len(found), shown))


def referrers(name: str, digest: str, query: Mapping[str, str], also: Collection[Mapping[str, Any]] = ()) -> Listing:
    """An image index of the manifests that name `digest` as their subject, which need not be there itself, and of those that do
    so `also`, as descriptors; of one `artifactType` if that is asked for.

    Raises:
        Refused
    """
    asked = page(query, _MOST_REFERRERS, default=_MOST_REFERRERS)
    type_ = query.get("artifactType", "")
    repository = repositories.find(name)
    found: list[Any] = []
    if repository is not None:
        statement = accessories.referrers(repository, digest, type_, asked.last).limit(asked.limit)
        found = list(db.session.execute(statement))
    listed = [_descriptor(artifact, size) for artifact, size in found]
    if also:
        more = {one["digest"]: dict(one) for one in also if one["digest"] > asked.last and type_ in ("", one.get("artifactType"))}
        known = {one["digest"]: one for one in listed}
        listed = [one for _, one in sorted((more | known).items())]
    shown = listed[: asked.size]
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": shown}
    others = {"artifactType": type_} if type_ else {}
    return Listing(body, asked.following(len(listed), [one["digest"] for one in shown], **others))


def _descriptor(artifact: Artifact, size: int) -> dict[str, Any]:
    described: dict[str, Any] = {"mediaType": artifact.manifest_media_type, "digest": artifact.digest, "size": size}
    # An index that names no type of its own has none; the index of ours notes its media type instead.
    if artifact.manifest_media_type not in INDEXES or artifact.artifact_type != artifact.manifest_media_type:
        described["artifactType"] = artifact.artifact_type
    if artifact.annotations:
        described["annotations"] = artifact.annotations
    return described
