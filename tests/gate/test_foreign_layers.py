"""Layers that are not stored here: of Windows images from hosts that are allowed, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.distribution.manifest import DOCKER_MANIFEST, FOREIGN, OCI_MANIFEST
from tests.gate.conftest import Site
from tests.support.registry import LAYER_TYPE, digest_of

WINDOWS_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
MICROSOFT = "https://mcr.microsoft.com/v2/windows/nanoserver/blobs/sha256:" + "1" * 64
ELSEWHERE = (
    "http://169.254.169.254/x",
    "http://mcr.microsoft.com/x",
    "https://mcr.microsoft.com.example/x",
    "https://microsoft.com/x",
    "https://evilmicrosoft.com/x",
    "https://user:word@mcr.microsoft.com/x",
    "https://mcr.microsoft.com@169.254.169.254/x",
    "https://mcr.microsoft.com:8443/x",
    "https://mcr.microsoft.com:x/x",
    "https://[mcr.microsoft.com/x",
    "https://mcr.microsoft.com#y",
    "https://example.com\\.microsoft.com/x",
    "https://example.com\n.microsoft.com/x",
    "https://example.com/.microsoft.com",
    "https://example.com?.microsoft.com/x",
    "https:///x",
    "//mcr.microsoft.com/x",
    "file:///etc/passwd",
    "",
)


def foreign_layer(media_type: str, *urls: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": "sha256:" + "1" * 64, "size": 3} | ({"urls": list(urls)} if urls else {})


def test_others_are_refused_in_words(site: Site) -> None:
    for media_type, urls in (
        *((WINDOWS_LAYER, [url]) for url in ELSEWHERE),
        (WINDOWS_LAYER, [MICROSOFT, ELSEWHERE[0]]),
        (WINDOWS_LAYER, []),
        (LAYER_TYPE, [MICROSOFT]),
    ):
        answer = site.put("v1", site.manifest(layers=[foreign_layer(media_type, *urls)]))
        error = answer.get_json()["errors"][0]
        assert (answer.status_code, error["code"]) == (400, "MANIFEST_INVALID"), urls
        assert "layers from elsewhere" in error["message"]
    assert not site.registry.client.tags(site.repository)


@pytest.mark.parametrize("media_type", sorted(FOREIGN))
def test_windows_images_are_accepted(site: Site, media_type: str) -> None:
    layer = foreign_layer(media_type, MICROSOFT)
    for docker in (False, True):
        more = {"mediaType": DOCKER_MANIFEST} if docker else {}
        manifest = site.manifest(layers=[layer, *json.loads(site.manifest())["layers"]], **more)
        tag = "docker" if docker else "oci"
        assert site.put(tag, manifest, media_type=DOCKER_MANIFEST if docker else OCI_MANIFEST).status_code == 201
        assert site.artifacts()[tag] == digest_of(manifest)


def test_who_allows_a_host_allows_it(site: Site) -> None:
    def put(url: str) -> int:
        return site.put("v1", site.manifest(layers=[foreign_layer(WINDOWS_LAYER, url)])).status_code

    def allow(hosts: str) -> int:
        return site.world.api("PUT", "/configurations", "admin", json={"foreign_layer_hosts": hosts}).status_code

    for hosts, allowed, refused in (
        ("layers.example.com, *.example.org", "https://layers.example.com/x", "https://example.org/x"),
        ("*", "https://anything.example/x", "http://anything.example/x"),
        ("", "", MICROSOFT),
    ):
        assert allow(hosts) == 200
        assert put(refused) == 400
        assert not allowed or put(allowed) == 201
    assert {allow(hosts) for hosts in ("https://a.example", "a b", "*.", "a.*", ",", "a,,b")} == {400}
    assert allow("*.microsoft.com") == 200
