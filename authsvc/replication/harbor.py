"""A Harbor as an end of a replication. Source: Harbor's API v2.0."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from authsvc.artifacts.rules import fallback_tag
from authsvc.core import names
from authsvc.core.errors import BadRequest, Unavailable
from authsvc.registries.remote import Opened
from authsvc.replication.answers import names_in, objects, text
from authsvc.replication.plain import Plain
from authsvc.replication.rules import Choice, Found, literal_names

_PAGE = 100
_MOST_PAGES = 100_000
_MANY = 100  # tags: from here on it is faster to read the list of all


class Harbor(Plain):
    """A Harbor, or another of ours."""

    def __init__(self, opened: Opened, look: Callable[[], object]) -> None:
        super().__init__(opened, look)
        self._public: dict[str, bool] = {}  # of projects that were asked about
        self._prepared: set[str] = set()

    def repositories(self, pattern: str) -> Iterable[str]:
        named = literal_names(pattern)
        if named is not None:
            return named
        project = literal_names(pattern.partition("/")[0])
        paths = [f"/projects/{quote(one)}/repositories" for one in project] if project else ["/repositories"]
        return [text(row, "name") for path in paths for row in self._list(path)]

    def artifacts(self, repository: str, choice: Choice) -> Iterator[Found]:
        tagged = "" if choice.tags is None else "&q=tags%3D*"
        asked = f"{_path(repository)}/artifacts?with_tag=true&with_label=true&with_accessory=true{tagged}"
        for row in self._list(asked):
            digest = text(row, "digest")
            yield Found(
                digest,
                names_in(row, "tags"),
                frozenset(names_in(row, "labels")),
                text(row, "type"),
                tuple(self._accessory(repository, digest, one) for one in objects(row.get("accessories"))),
            )

    def _accessory(self, repository: str, subject: str, row: Mapping[str, Any]) -> Found:
        """What cosign attaches by nothing but a tag needs that tag."""
        digest = text(row, "digest")
        if not text(row, "type").startswith("signature"):
            return Found(digest)
        tag = f"{fallback_tag(subject)}.sig"
        return Found(digest, (tag,) if self.client.digest_of(repository, tag) == digest else ())

    def is_public(self, repository: str) -> bool:
        name = names.project_of(repository)
        if name not in self._public:
            project = self._json(f"/projects/{quote(name)}")
            metadata = project.get("metadata") if isinstance(project, dict) else None
            self._public[name] = isinstance(metadata, dict) and text(metadata, "public") == "true"
        return self._public[name]

    def tags(self, repository: str, wanted: Collection[str]) -> Mapping[str, str]:
        if len(wanted) < _MANY:
            return super().tags(repository, wanted)
        rows = self._list(f"{_path(repository)}/artifacts?with_tag=true&q=tags%3D*")
        there = {tag: text(row, "digest") for row in rows for tag in names_in(row, "tags")}
        return {tag: there[tag] for tag in wanted if tag in there}

    def siblings(self, repository: str, digest: str) -> Sequence[str]:
        rows = self._json(f"/repositories?q={quote(f'blob_digest={digest}')}&page=1&page_size=1")
        return [name for row in objects(rows) if names.is_repository(name := text(row, "name"))]

    def prepare(self, repository: str, *, public: bool) -> None:
        project = names.project_of(repository)
        if project not in self._prepared:
            self._prepare(project, public=public)
            self._prepared.add(project)

    def _prepare(self, project: str, *, public: bool) -> None:
        asked = self._api("GET", f"/projects?name={quote(project)}&page_size={_PAGE}")
        if asked.status_code == 200 and project in (text(row, "name") for row in objects(self._opened.api.json_of(asked))):
            return
        body = json.dumps({"project_name": project, "metadata": {"public": str(public).lower()}}).encode()
        made = self._api("POST", "/projects", body)
        if made.status_code not in (201, 409):
            raise BadRequest(f"{self.client.transport.name} does not make project {project}: {_said(made)}")

    def delete(self, repository: str, reference: str, choice: Choice) -> str:
        path = f"{_path(repository)}/artifacts/{reference}"
        if names.is_digest(reference):
            artifact = self._json(f"{path}?with_tag=true")
            kept = [tag for tag in names_in(artifact or {}, "tags") if not choice.tag(tag)]
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
            self._look()
            rows = objects(self._json(f"{path}{separator}page={page}&page_size={_PAGE}"))
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


def _path(repository: str) -> str:
    project, _, name = repository.partition("/")
    return f"/projects/{quote(project)}/repositories/{quote(quote(name, safe=''), safe='')}"


def _said(response: Any) -> str:
    """Harbor's sentence, or as much as there is."""
    try:
        return str(response.json()["errors"][0]["message"])[:300]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return f"it answers {response.status_code}"
