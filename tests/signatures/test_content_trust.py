"""Images that may not be pulled unless they are signed: at the gate, as clients ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.distribution.manifest import OCI_MANIFEST
from tests.gate.conftest import Site
from tests.support.registry import digest_of
from tests.support.world import basic

COSIGN, NOTATION = "enable_content_trust_cosign", "enable_content_trust"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE, NOTARY = "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.cncf.notary.signature"


def want(site: Site, **metadata: str) -> None:
    answer = site.world.api("PUT", f"/projects/{site.project}", "admin", json={"metadata": metadata})
    assert answer.status_code == 200, answer.text


def pull(site: Site, reference: str, who: str = "guest", **headers: str) -> tuple[int, str]:
    told = {"X-Gate-Method": "GET", "X-Gate-Uri": f"/v2/{site.project}/app/manifests/{reference}", "X-Real-IP": "192.0.2.7"}
    answer = site.world.client.get("/internal/gate", headers=told | basic(who) | headers)
    return int(answer.headers.get("X-Gate-Status", answer.status_code)), answer.headers.get("X-Gate-Body", "")


def push(site: Site, content: str, tag: str = "") -> str:
    data = site.manifest(content)
    digest = digest_of(data)
    assert site.put(tag or digest, data).status_code == 201
    return digest


def sign(site: Site, digest: str, kind: str) -> str:
    """A signature as each of them makes it; whose, nobody asks."""
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": site.registry.blob(f"{site.project}/app", b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [
            site.registry.blob(f"{site.project}/app", kind.encode(), SIMPLE_SIGNING if kind == "tag" else "application/json")
        ],
    }
    if kind == "tag":
        reference = f"sha256-{digest.removeprefix('sha256:')}.sig"
    else:
        manifest |= {"artifactType": kind, "subject": {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}}
        reference = digest_of(json.dumps(manifest).encode())
    data = json.dumps(manifest).encode()
    assert site.put(reference, data).status_code == 201
    return digest_of(data)


@pytest.mark.parametrize(("item", "kind"), [(COSIGN, "tag"), (COSIGN, BUNDLE), (NOTATION, NOTARY)])
def test_what_is_not_signed_is_refused(site: Site, item: str, kind: str) -> None:
    digest = push(site, "one", "v1")
    assert pull(site, "v1")[0] == 204
    want(site, **{item: "true"})
    maker = "cosign" if item == COSIGN else "notation"
    for reference in ("v1", digest):
        status, said = pull(site, reference)
        assert status == 412
        assert "PROJECTPOLICYVIOLATION" in said
        assert f"The image is not signed by {maker}." in said
    signature = sign(site, digest, kind)
    for reference in ("v1", digest, signature):
        assert pull(site, reference)[0] == 204
    want(site, **{item: "false"})
    assert pull(site, push(site, "two"))[0] == 204


def test_each_is_wanted_by_itself(site: Site) -> None:
    digest = push(site, "one", "v1")
    want(site, **{COSIGN: "true", NOTATION: "true"})
    sign(site, digest, "tag")
    assert "not signed by notation" in pull(site, "v1")[1]
    sign(site, digest, NOTARY)
    assert pull(site, "v1")[0] == 204


def test_a_signature_of_something_else_does_not_count(site: Site) -> None:
    push(site, "one", "v1")
    want(site, **{COSIGN: "true"})
    sign(site, push(site, "two"), "tag")
    assert pull(site, "v1")[0] == 412


def test_what_an_index_holds_is_signed_with_it(site: Site) -> None:
    child = push(site, "child")
    index = site.index(site.manifest("child"))
    assert site.put("multi", index, media_type=json.loads(index)["mediaType"]).status_code == 201
    want(site, **{COSIGN: "true"})
    assert [pull(site, reference)[0] for reference in ("multi", child)] == [412, 412]
    sign(site, digest_of(index), "tag")
    assert [pull(site, reference)[0] for reference in ("multi", child)] == [204, 204]


def test_a_signature_that_is_deleted_counts_no_more(site: Site) -> None:
    digest = push(site, "one", "v1")
    signature = sign(site, digest, BUNDLE)
    want(site, **{COSIGN: "true"})
    assert pull(site, "v1")[0] == 204
    path = f"/projects/{site.project}/repositories/app/artifacts/{signature}"
    assert site.world.api("DELETE", path, "admin").status_code == 200
    assert pull(site, "v1")[0] == 412


def test_who_signs_has_to_pull(site: Site) -> None:
    push(site, "one", "v1")
    want(site, **{COSIGN: "true"})
    for who, agent, status in (
        ("developer", "cosign/v2.4.1", 204),
        ("guest", "cosign/v2.4.1", 412),
        ("developer", "docker/28", 412),
    ):
        assert pull(site, "v1", who, **{"User-Agent": agent})[0] == status
