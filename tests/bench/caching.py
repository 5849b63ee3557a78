"""What a pull from a proxy cache takes that has everything, beside one of a project with images of its own; and the first pull,
beside one where the images come from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.bench.cases import Case, in_turns
from tests.bench.load import Measured, Request, wrk
from tests.bench.runs import Options, progress, running_stack
from tests.support.rawclient import RawClient
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry, plain_registry
from tests.support.stack import Stack
from tests.support.waiting import eventually

_CONNECTIONS = 4
_LAYER = 1024 * 1024
_LARGE = 200 * 1024 * 1024
_WANTED = 0.95
_MANIFEST = ("manifest by tag", "manifests/v1")


@dataclass(frozen=True, slots=True)
class Compared:
    """So much a second by each way; `wanted`: their ratio, 0: none is."""

    what: str
    cached: float
    direct: float
    wanted: float = 0


def caching(directory: Path, options: Options) -> list[Compared]:
    """Manifests and layers from here, and a large layer from there."""
    (directory / "far").mkdir()
    storage = {"filesystem": {"rootdirectory": str(directory / "far" / "blobs")}}
    with (
        plain_registry(directory / "far", storage=storage) as far,
        running_stack(directory / "caching", OUTGOING_ALLOW="127.0.0.1/32") as stack,
    ):
        made = stack.api("POST", "/registries", json={"name": "far", "type": "docker-registry", "url": far.url})
        number = int(made.headers["Location"].rpartition("/")[2])
        for name, more in (("cached", {"registry_id": number}), ("own", {})):
            stack.api("POST", "/projects", json={"project_name": name, **more}).raise_for_status()
        return [*_hits(stack, far, options), _first(stack, far)]


def _image(registry: PlainRegistry, repository: str, layer: bytes) -> tuple[bytes, str]:
    blobs = [registry.blob(repository, b"{}", CONFIG_TYPE), registry.blob(repository, layer, LAYER_TYPE)]
    digest = registry.put(
        repository, "v1", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blobs[0], "layers": blobs[1:]}
    )
    stored = registry.client.manifest(repository, digest)
    if stored is None:
        raise RuntimeError("the registry has not what it took")
    return stored.data, blobs[1]["digest"]


def _hits(stack: Stack, far: PlainRegistry, options: Options) -> list[Compared]:
    layer = (b"layer" * _LAYER)[:_LAYER]
    manifest, digest = _image(far, "app", layer)
    client = RawClient(stack, stack.admin)
    token = client.token("repository:own/app:pull,push")
    for data, kind in ((b"{}", CONFIG_TYPE), (layer, LAYER_TYPE)):
        client.upload("own/app", data, kind, token)
    put = client.request("PUT", "/v2/own/app/manifests/v1", token=token, data=manifest, headers={"Content-Type": OCI_MANIFEST})
    put.raise_for_status()
    client.manifest("cached/app", "v1").raise_for_status()
    artifact = "/projects/cached/repositories/app/artifacts/v1"
    eventually(lambda: stack.api("GET", artifact).status_code == 200, seconds=60)
    found: dict[tuple[str, str], Measured] = {}
    # Layers first: the notifications of many manifests keep the machine busy for long.
    for cases in (_cases(stack, client, what, path) for what, path in (("layer of 1 MB", f"blobs/{digest}"), _MANIFEST)):
        measured = in_turns(cases, options.seconds, options.rounds, progress)
        found |= {(case.name, case.via): result for case, result in measured}
    if errors := sum(result.errors for result in found.values()):
        raise RuntimeError(f"{errors} requests failed")
    return [
        Compared(f"{what}, requests", found[what, "cached"].per_second, found[what, "own"].per_second, _WANTED)
        for what in dict.fromkeys(what for what, _ in found)
    ]


def _cases(stack: Stack, client: RawClient, what: str, path: str) -> list[Case]:
    cases = []
    for project in ("own", "cached"):
        token = client.token(f"repository:{project}/app:pull")
        headers = {"Authorization": f"Bearer {token}", "Accept": OCI_MANIFEST}
        request = Request(f"{stack.url}/v2/{project}/app/{path}", headers)
        run = partial(wrk, request, keep_alive=True, connections=_CONNECTIONS)
        cases.append(Case(what, project, True, run, run))
    return cases


def _first(stack: Stack, far: PlainRegistry) -> Compared:
    """A large layer that is not here, by four clients at once."""
    progress("a large layer, for the first time")
    _, digest = _image(far, "large", (b"large" * _LARGE)[:_LARGE])
    client = RawClient(stack, stack.admin)
    headers = {"Authorization": f"Bearer {client.token('repository:cached/large:pull')}"}

    def read(url: str) -> int:
        with requests.get(url, headers=headers, verify=str(stack.ca), stream=True, timeout=120) as answer:
            answer.raise_for_status()
            return sum(len(piece) for piece in answer.iter_content(1024 * 1024))

    def rate(url: str) -> float:
        begun = time.monotonic()
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            total = sum(pool.map(read, [url] * _CONNECTIONS))
        return total / 1e6 / (time.monotonic() - begun)

    return Compared(
        f"layer of {_LARGE // 1024**2} MB for {_CONNECTIONS} clients at once, first time, MB",
        rate(f"{stack.url}/v2/cached/large/blobs/{digest}"),
        rate(f"{far.url}/v2/large/blobs/{digest}"),
    )


def table(rows: Sequence[Compared]) -> str:
    """As Markdown."""
    lines = ["| what, each second | proxy cache | directly | ratio | wanted |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        wanted = f">= {row.wanted}" if row.wanted else "-"
        lines.append(f"| {row.what} | {row.cached:.0f} | {row.direct:.0f} | {row.cached / row.direct:.2f} | {wanted} |")
    return "\n".join(lines)
