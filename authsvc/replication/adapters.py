"""Other registries as an end of a replication: any by what `/v2/` tells of it, some by an API of their own.

Sources: OCI distribution spec 1.1 (with "Referrers Tag Schema" and "Pushing Manifests with Subject"), cosign's tags, Harbor's API
v2.0, Docker Hub's API v2. Which were tried for real, and which are by their documents alone, says docs/replication.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from authsvc.artifacts.rules import fallback_tag
from authsvc.core import names
from authsvc.core.errors import BadRequest, Unavailable
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import OCI_INDEX, Manifest
from authsvc.distribution.untag import untag
from authsvc.registries import providers
from authsvc.registries.remote import Opened
from authsvc.replication.rules import Choice, Found, literal_names

T = TypeVar("T")
_AT_ONCE = 8  # questions to one registry
_PAGE = 100
_MOST_PAGES = 100_000
_MANY = 100  # tags: from here on it is faster to read the list of all
_COSIGN = ("sig", "att", "sbom")


class Plain:
    """A registry of which nothing is known but its `/v2/`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
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
        company = _at_once(lambda digest: self._attached(repository, digest, frozenset(every)), tags)
        for digest, named in tags.items():
            yield Found(digest, tuple(named), attached=company[digest])

    def is_public(self, repository: str) -> bool:
        return False

    def _digests(self, repository: str, tags: Collection[str]) -> dict[str, str]:
        """Tag -> digest, of those that are there still."""
        found = _at_once(lambda tag: self.client.digest_of(repository, tag), tags)
        return {tag: digest for tag, digest in found.items() if digest is not None}

    def _attached(self, repository: str, digest: str, every: Collection[str]) -> tuple[Found, ...]:
        fallback = fallback_tag(digest)
        tags = [tag for tag in (fallback, *(f"{fallback}.{kind}" for kind in _COSIGN)) if tag in every]
        found = {one: Found(one, (tag,)) for tag, one in self._digests(repository, tags).items()}
        referring = self.client.referrers(repository, digest) if self._has_referrers else None
        self._has_referrers = referring is not None
        for one in referring or ():
            if names.is_digest(str(one.get("digest"))):
                found.setdefault(one["digest"], Found(one["digest"]))
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


class Harbor(Plain):
    """A Harbor, or another of ours."""

    def repositories(self, pattern: str) -> Iterable[str]:
        named = literal_names(pattern)
        if named is not None:
            return named
        project = literal_names(pattern.partition("/")[0])
        paths = [f"/projects/{quote(one)}/repositories" for one in project] if project else ["/repositories"]
        return [_text(row, "name") for path in paths for row in self._list(path)]

    def artifacts(self, repository: str, choice: Choice) -> Iterator[Found]:
        tagged = "" if choice.tags is None else "&q=tags%3D*"
        asked = f"{_path(repository)}/artifacts?with_tag=true&with_label=true&with_accessory=true{tagged}"
        for row in self._list(asked):
            digest = _text(row, "digest")
            yield Found(
                digest,
                _names(row, "tags"),
                frozenset(_names(row, "labels")),
                _text(row, "type"),
                tuple(self._accessory(repository, digest, one) for one in _objects(row.get("accessories"))),
            )

    def _accessory(self, repository: str, subject: str, row: Mapping[str, Any]) -> Found:
        """What cosign attaches by nothing but a tag needs that tag."""
        digest = _text(row, "digest")
        if not _text(row, "type").startswith("signature"):
            return Found(digest)
        tag = f"{fallback_tag(subject)}.sig"
        return Found(digest, (tag,) if self.client.digest_of(repository, tag) == digest else ())

    def is_public(self, repository: str) -> bool:
        project = self._json(f"/projects/{quote(names.project_of(repository))}")
        metadata = project.get("metadata") if isinstance(project, dict) else None
        return isinstance(metadata, dict) and _text(metadata, "public") == "true"

    def tags(self, repository: str, wanted: Collection[str]) -> Mapping[str, str]:
        if len(wanted) < _MANY:
            return super().tags(repository, wanted)
        rows = self._list(f"{_path(repository)}/artifacts?with_tag=true&q=tags%3D*")
        there = {tag: _text(row, "digest") for row in rows for tag in _names(row, "tags")}
        return {tag: there[tag] for tag in wanted if tag in there}

    def siblings(self, repository: str, digest: str) -> Sequence[str]:
        rows = self._json(f"/repositories?q={quote(f'blob_digest={digest}')}&page=1&page_size=1")
        return [name for row in _objects(rows) if names.is_repository(name := _text(row, "name"))]

    def prepare(self, repository: str, *, public: bool) -> None:
        project = names.project_of(repository)
        asked = self._api("GET", f"/projects?name={quote(project)}&page_size={_PAGE}")
        if asked.status_code == 200 and project in (_text(row, "name") for row in _objects(self._opened.api.json_of(asked))):
            return
        body = json.dumps({"project_name": project, "metadata": {"public": str(public).lower()}}).encode()
        made = self._api("POST", "/projects", body)
        if made.status_code not in (201, 409):
            raise BadRequest(f"{self.client.transport.name} does not make project {project}: {_said(made)}")

    def delete(self, repository: str, reference: str, choice: Choice) -> str:
        path = f"{_path(repository)}/artifacts/{reference}"
        if names.is_digest(reference):
            artifact = self._json(f"{path}?with_tag=true")
            kept = [tag for tag in _names(artifact or {}, "tags") if not choice.tag(tag)]
            if kept:
                return f"{repository}@{reference} stays, since it is tagged {kept[0]} there"
        else:
            path += f"/tags/{reference}"
        done = self._api("DELETE", path)
        if done.status_code not in (200, 404):
            raise BadRequest(f"{self.client.transport.name} does not delete {repository} {reference}: {_said(done)}")
        return ""

    def _list(self, path: str) -> Iterator[dict[str, Any]]:
        separator = "&" if "?" in path else "?"
        for page in range(1, _MOST_PAGES):
            rows = _objects(self._json(f"{path}{separator}page={page}&page_size={_PAGE}"))
            yield from rows
            if len(rows) < _PAGE:
                return
        raise Unavailable(f"{self.client.transport.name} comes to no end with {path.partition('?')[0]}")

    def _json(self, path: str) -> Any:
        """What a GET answers; None for a 404."""
        response = self._api("GET", path)
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise Unavailable(f"{self.client.transport.name} answered {response.status_code} to {path.partition('?')[0]}")
        return self._opened.api.json_of(response)

    def _api(self, method: str, path: str, body: bytes | None = None) -> Any:
        kind = "application/json" if body is not None else ""
        return self._opened.api.send(method, f"/api/v2.0{path}", "", "application/json", data=body, media_type=kind)


class DockerHub(Plain):
    """Docker Hub has no catalog; of an account its own API says what it holds."""

    def repositories(self, pattern: str) -> Iterable[str]:
        named = literal_names(pattern)
        if named is not None:
            return named
        accounts = literal_names(pattern.partition("/")[0])
        if accounts is None:
            raise BadRequest("of Docker Hub only the repositories of an account can be listed: let the name begin with one")
        return [name for account in accounts for name in self._of(account)]

    def _of(self, account: str) -> Iterator[str]:
        for page in range(1, _MOST_PAGES):
            response = self._opened.api.get(f"/v2/repositories/{quote(account)}/?page={page}&page_size={_PAGE}", "")
            said = self._opened.api.json_of(response) if response is not None else None
            if not isinstance(said, dict):
                return
            yield from (f"{account}/{_text(row, 'name')}" for row in _objects(said.get("results")))
            if not said.get("next"):
                return
        raise Unavailable(f"{self.client.transport.name} comes to no end with the repositories of {account}")


_ADAPTERS: dict[str, type[Plain]] = {providers.HARBOR: Harbor, providers.DOCKER_HUB: DockerHub}


def adapter(opened: Opened) -> Plain:
    """What a registry is asked by, as its kind wants it."""
    return _ADAPTERS.get(opened.remote.kind, Plain)(opened)


def _is_attachment(tag: str) -> bool:
    """What clients attach by nothing but a tag."""
    digest, _, kind = tag.partition(".")
    return len(digest) == len("sha256-") + 64 and digest.startswith("sha256-") and kind in ("", *_COSIGN)


def _at_once(ask: Callable[[str], T], about: Iterable[str]) -> dict[str, T]:
    asked = list(about)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(asked, pool.map(ask, asked), strict=True))


def _index(present: Content | None) -> dict[str, Any]:
    try:
        index = json.loads(present.data) if present is not None else {}
    except (ValueError, RecursionError):
        index = {}
    kept = _objects(index.get("manifests")) if isinstance(index, dict) else []
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": kept}


def _objects(value: Any) -> list[dict[str, Any]]:
    """What another registry answers may be anything."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(row: Mapping[str, Any], name: str) -> str:
    return value if isinstance(value := row.get(name), str) else ""


def _names(row: Mapping[str, Any], what: str) -> tuple[str, ...]:
    return tuple(filter(None, (_text(one, "name") for one in _objects(row.get(what)))))


def _path(repository: str) -> str:
    project, _, name = repository.partition("/")
    return f"/projects/{quote(project)}/repositories/{quote(quote(name, safe=''), safe='')}"


def _said(response: Any) -> str:
    """Harbor's sentence, or as much as there is."""
    try:
        return str(response.json()["errors"][0]["message"])[:300]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return f"it answers {response.status_code}"
