"""What other registries may answer, and what clients may do: nothing of it becomes more than an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.distribution.manifest import OCI_MANIFEST
from authsvc.gate.models import Decision
from tests.proxy_cache.conftest import Cached
from tests.support.registry import digest_of

PAGE = b"<html><script src=/v2/evil></script></html>"
NO_IMAGE = json.dumps({"schemaVersion": 2, "mediaType": "text/html", "config": {}}).encode()


@pytest.mark.parametrize("data", [PAGE, NO_IMAGE, b"", b"[" * 100_000], ids=["page", "other type", "nothing", "nested"])
def test_only_manifests_are_handed_out(cached: Cached, data: bytes) -> None:
    """A browser would take a page, or a script, for ours."""
    cached.proxy.body = lambda path: data if "/manifests/" in path else None
    answer = cached.manifest(digest_of(data))
    assert cached.code(answer) == (503, "UNAVAILABLE")
    assert answer.mimetype == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Docker-Content-Digest": "x" * 5000, "Content-Type": OCI_MANIFEST},
        {"Docker-Content-Digest": "sha256:" + "0" * 63, "Content-Type": OCI_MANIFEST},
        {"Docker-Content-Digest": "sha256:" + "0" * 64, "Content-Type": "text/html"},
        {},
    ],
)
def test_what_describes_no_manifest_is_not_believed(cached: Cached, headers: dict[str, str]) -> None:
    cached.proxy.rule = lambda method, path, _: (200, headers) if "/manifests/" in path else None
    for method in ("HEAD", "GET"):
        assert cached.manifest("v1", method=method).status_code == 503
    assert cached.manifest("sha256:" + "1" * 64, method="HEAD").status_code == 503, "it says another digest"


def test_a_blob_that_is_something_else_or_no_blob_is_not_passed_on(cached: Cached) -> None:
    wanted = digest_of(b"what is wanted")
    cached.proxy.body = lambda path: b"something else" if "/blobs/" in path else None
    with pytest.raises(Exception, match="is something else"):
        cached.blob(wanted)
    cached.proxy.body = lambda path: b"what is wanted" if "/blobs/" in path else None
    assert cached.blob(wanted).data == b"what is wanted", "and nobody is offended"


def test_who_goes_before_the_first_byte_leaves_his_place(cached: Cached) -> None:
    cached.project = cached.make(max_upstream_conn="1")
    cached.proxy.body = lambda path: b"a blob" if "/blobs/" in path else None
    for _ in range(20):
        cached.blob(digest_of(b"a blob"), buffered=False).close()
    assert cached.blob(digest_of(b"a blob")).data == b"a blob"


def test_what_is_not_there_fills_no_log_of_decisions(cached: Cached) -> None:
    for number in range(3):
        assert cached.manifest(f"none-{number}").status_code == 404
    with cached.world.changes():
        assert db.session.query(Decision).count() == 0


def test_names_that_others_think_of(cached: Cached) -> None:
    asked: list[Any] = []
    cached.proxy.rule = lambda method, path, _: asked.append(path)
    for name in ("app/../../secret", "APP", "app%2f..%2fx", "app//x", "a" * 300):
        answer = cached.get(f"{cached.project}/{name}/manifests/v1")
        assert answer.status_code in (400, 404), name
    assert cached.get(f"{cached.project}/app/manifests/v1@x").status_code == 404
    assert asked == []
