"""What others send through the whole stack: images and credentials that are not as ours are."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from authsvc.distribution.manifest import DOCKER_MANIFEST, OCI_MANIFEST
from tests.support.rawclient import RawClient
from tests.support.registry import CONFIG_TYPE, digest_of
from tests.support.stack import Stack

WINDOWS_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.mark.parametrize("media_type", [DOCKER_MANIFEST, OCI_MANIFEST])
@pytest.mark.parametrize(("host", "status"), [("mcr.microsoft.com", 201), ("layers.example.com", 400)])
def test_a_windows_image(stack: Stack, media_type: str, host: str, status: int) -> None:
    client, config = RawClient(stack, stack.admin), b'{"os":"windows","architecture":"amd64"}'
    token = client.token("repository:library/windows:pull,push")
    layer = {"mediaType": WINDOWS_LAYER, "digest": digest_of(b"w"), "size": 9, "urls": [f"https://{host}/x"]}
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": client.upload("library/windows", config, CONFIG_TYPE, token),
        "layers": [layer],
    }
    data = json.dumps(manifest).encode()
    path = "/v2/library/windows/manifests/t"
    answer = client.request("PUT", path, token=token, data=data, headers={"Content-Type": media_type})
    assert answer.status_code == status, answer.text
    if status == 201:
        found = client.request("GET", path, token=token, headers={"Accept": media_type})
        assert (found.status_code, found.content) == (200, data)


@pytest.mark.parametrize("path", ["/api/v2.0/users/current", "/service/token?service=harbor-registry", "/v2/"])
@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
@pytest.mark.parametrize("size", [8_000, 8_300, 32_000])
def test_long_credentials_are_read(stack: Stack, path: str, scheme: str, size: int) -> None:
    """An ID token of somebody in hundreds of groups, say; this one is nobody's."""
    value = "x" * size if scheme == "Bearer" else b64encode(b"oidc:".ljust(size * 3 // 4, b"x")).decode()
    answer = RawClient(stack).request("GET", path, headers={"Authorization": f"{scheme} {value}"})
    assert answer.status_code == 401, answer.text
    assert "errors" in answer.json()


def test_what_is_too_long_is_said(stack: Stack) -> None:
    long = "x" * 40_000
    for path, headers, status in (("/v2/", {"Authorization": f"Bearer {long}"}, 431), (f"/api/v2.0/projects?q={long}", {}, 414)):
        answer = RawClient(stack).request("GET", path, headers=headers)
        assert answer.status_code == status
        assert "longer than 32 kB" in answer.json()["errors"][0]["message"]
    assert RawClient(stack).request("GET", "/api/v2.0/projects?name=" + "x" * 9_000).status_code in (200, 422)
