"""Additions: read from the registry when somebody asks, in bounds, and kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authsvc.additions import rules
from authsvc.additions.archives import MAX_FILE, ArchiveInvalid, read_files
from authsvc.additions.steps import Step, steps
from authsvc.core.errors import BadRequest, NotFound
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import Descriptor, Manifest, parse

_MAX_CONFIG = 4 * 1024 * 1024
_MAX_LAYER = 20 * 1024 * 1024
JSON, TEXT, MARKDOWN = "application/json; charset=utf-8", "text/plain; charset=utf-8", "text/markdown; charset=utf-8"
_CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar"
_PATH = "org.cncf.model.filepath"


@dataclass(frozen=True, slots=True)
class Addition:
    """Bytes and what they are."""

    content: bytes
    content_type: str


def read(client: RegistryClient, repository: str, digest: str, kind: str) -> Addition:
    """An addition of the artifact with that digest in a repository.

    Raises:
        BadRequest: an artifact of this type has no such addition, or it is not to be read within bounds.
        NotFound: the registry does not have it.
        Unavailable
    """
    content = client.manifest(repository, digest)
    if content is None:
        raise NotFound(f"artifact {repository}@{digest} not found")
    manifest = parse(content.data, content.media_type)
    if kind not in rules.kinds(manifest.kind, manifest.media_type):
        raise BadRequest(f"addition {kind[:64]} isn't supported for {manifest.kind}")
    try:
        return _READERS[manifest.kind](_Source(client, repository, manifest), kind)
    except ArchiveInvalid as error:
        raise BadRequest(f"addition {kind} of {repository}@{digest} cannot be read: {error}") from error


def build(client: RegistryClient, repository: str, digest: str) -> list[Step]:
    """How an image of a repository was built; nothing of what is no image.

    Raises:
        BadRequest: it is not to be read within bounds.
        NotFound: the registry does not have it.
        Unavailable
    """
    content = client.manifest(repository, digest)
    if content is None:
        raise NotFound(f"artifact {repository}@{digest} not found")
    manifest = parse(content.data, content.media_type)
    if manifest.kind != "IMAGE" or not manifest.layers:
        return [Step("", layer) for layer in manifest.layers]
    try:
        return steps(_config(_Source(client, repository, manifest)).get("history"), manifest.layers)
    except ArchiveInvalid as error:
        raise BadRequest(f"the config of {repository}@{digest} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _Source:
    client: RegistryClient
    repository: str
    manifest: Manifest

    def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        data = self.client.blob(self.repository, descriptor.digest, limit) if descriptor.size <= limit else None
        if data is None:
            raise ArchiveInvalid(f"{descriptor.digest} is gone, or larger than {limit} bytes")
        return data


def _of_image(source: _Source, kind: str) -> Addition:
    history = _config(source).get("history")
    return _json(history if isinstance(history, list) else [])


def _of_chart(source: _Source, kind: str) -> Addition:
    """A chart's config is its Chart.yaml as JSON; its layer a tar with everything below the chart's name (Helm, "Registries").
    What a chart does not have is empty, as in Harbor."""
    if kind == rules.DEPENDENCIES:
        found = _config(source).get("dependencies")
        listed = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return _json([{name: one.get(name, "") for name in ("name", "version", "repository")} for one in listed])
    layer = next((one for one in source.manifest.layers if one.media_type.startswith(_CHART_LAYER)), None)
    if layer is None:
        raise ArchiveInvalid("the chart has no layer with its files")
    files = read_files(
        source.blob(layer, _MAX_LAYER), lambda path: kind if path.count("/") == 1 and _is_file(path, kind) else None
    )
    return Addition(files.get(kind, b""), TEXT if kind == rules.VALUES else MARKDOWN)


def _of_model(source: _Source, kind: str) -> Addition:
    """Of a model each layer says in an annotation which file it is (CNCF model spec)."""
    named = [(layer.annotations[_PATH], layer) for layer in source.manifest.layers if layer.annotations.get(_PATH)]
    if kind == rules.FILES:
        return _json([{"name": path, "type": "file", "size": layer.size} for path, layer in sorted(named, key=lambda it: it[0])])
    layer = next((layer for path, layer in named if _is_file(path, kind)), None)
    if layer is None:
        raise NotFound(f"the model has no {kind}")
    data = source.blob(layer, _MAX_LAYER)
    if not layer.media_type.endswith(".raw"):
        data = read_files(data, lambda path: kind if _is_file(path, kind) else None).get(kind, b"")
    return Addition(data[:MAX_FILE], MARKDOWN if kind == rules.README else TEXT)


def _is_file(path: str, kind: str) -> bool:
    """True if the last part of a path is that file, whatever its case; a licence may have an ending."""
    name = path.rpartition("/")[2].lower()
    return name == kind or (kind == rules.LICENSE and name.partition(".")[0] == kind)


def _config(source: _Source) -> dict[str, Any]:
    config = source.manifest.config
    try:
        document = json.loads(source.blob(config, _MAX_CONFIG)) if config else {}
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, ArchiveInvalid) else ArchiveInvalid("the config is no JSON") from error
    return document if isinstance(document, dict) else {}


def _json(value: Any) -> Addition:
    return Addition(json.dumps(value).encode(), JSON)


_READERS: Mapping[str, Callable[[_Source, str], Addition]] = {"IMAGE": _of_image, "CHART": _of_chart, "CNAI": _of_model}
