"""Requests to the registry are read as the registry routes them, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.core.names import is_repository
from authsvc.gate.asked import Asked, Kind, parse
from authsvc.gate.checks import Refused

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("method", "uri", "asked", "scope"),
    [
        ("GET", "/v2/", Asked("GET", Kind.BASE), ""),
        ("GET", "/v2", Asked("GET", Kind.BASE), ""),
        ("HEAD", "/v2/p/a/manifests/v1", Asked("HEAD", Kind.MANIFEST, "p/a", "v1"), "repository:p/a:pull"),
        ("PUT", f"/v2/p/a/b/manifests/{DIGEST}", Asked("PUT", Kind.MANIFEST, "p/a/b", DIGEST), "repository:p/a/b:pull,push"),
        ("DELETE", f"/v2/p/a/blobs/{DIGEST}", Asked("DELETE", Kind.BLOB, "p/a", DIGEST), "repository:p/a:delete"),
        ("POST", "/v2/p/a/blobs/uploads/", Asked("POST", Kind.UPLOAD, "p/a"), "repository:p/a:pull,push"),
        ("DELETE", "/v2/p/a/blobs/uploads/u-1?_state=x", Asked("DELETE", Kind.UPLOAD, "p/a", "u-1"), "repository:p/a:pull,push"),
        ("GET", "/v2/p/a/blobs/uploads/u-1?_state=x", Asked("GET", Kind.UPLOAD, "p/a", "u-1"), "repository:p/a:pull"),
        (
            "POST",
            f"/v2/p/a/blobs/uploads/?mount={DIGEST}&from=q/b",
            Asked("POST", Kind.UPLOAD, "p/a", "", "q/b", DIGEST),
            "repository:p/a:pull,push repository:q/b:pull",
        ),
        ("POST", f"/v2/p/a/blobs/uploads/?mount={DIGEST}", Asked("POST", Kind.UPLOAD, "p/a", "", "", DIGEST), "repository:p/a:pull,push"),
        ("PUT", f"/v2/p/a/blobs/uploads/u?digest={DIGEST}", Asked("PUT", Kind.UPLOAD, "p/a", "u", "", DIGEST), "repository:p/a:pull,push"),
        ("GET", "/v2/_catalog?n=3", Asked("GET", Kind.CATALOG), "registry:catalog:*"),
        ("GET", "/v2/p/a/tags/list?n=3", Asked("GET", Kind.TAGS, "p/a"), "repository:p/a:pull"),
        ("GET", f"/v2/p/a/referrers/{DIGEST}?artifactType=x", Asked("GET", Kind.REFERRERS, "p/a", DIGEST), "repository:p/a:pull"),
        ("PUT", "/v2/p/blobs/manifests/v1", Asked("PUT", Kind.MANIFEST, "p/blobs", "v1"), "repository:p/blobs:pull,push"),
        ("GET", "/v2/p/manifests/manifests/v1", Asked("GET", Kind.MANIFEST, "p/manifests", "v1"), "repository:p/manifests:pull"),
    ],
)  # fmt: skip
def test_what_is_asked(method: str, uri: str, asked: Asked, scope: str) -> None:
    assert parse(method, uri) == asked
    assert asked.scope == scope


@pytest.mark.parametrize(
    ("method", "uri", "status"),
    [
        ("TRACE", "/v2/", 405), ("GET", "/v2/p/a/manifests/.no", 404), ("GET", "/v2/p/a/manifests/v1/", 404), ("GET", "/v2/p/a", 404),
        ("GET", "/v2/a/manifests/v1", 400), ("GET", "/v2/p//a/manifests/v1", 400), ("GET", "/v2/p/A/manifests/v1", 400),
        ("GET", "/v2/p/%61/manifests/v1", 400), ("GET", "/v2/p/a/manifests/v1%00", 400), ("GET", "/v2/p/../q/manifests/v1", 400),
        ("GET", "/v2/p/a/blobs/sha256:x", 400), ("GET", "/v2/p/manifests/v1/blobs/uploads/", 400), ("GET", "/v1/p/a/manifests/v1", 400),
        ("PUT", "/v2/p/blobs/uploads/manifests/v1", 400), ("POST", f"/v2/p/a/blobs/uploads/?mount={DIGEST}&from=x", 400),
        ("POST", f"/v2/p/a/blobs/uploads/?mount={DIGEST}&from=q/b&from=r/c", 400), ("GET", "/v2/" + "a/" * 3000, 400),
        ("POST", "/v2/p/a/blobs/uploads/?mount=%ff&from=q/b", 400), ("GET", "/v2/_catalog/", 404), ("GET", "", 400),
    ],
)  # fmt: skip
def test_what_is_no_request_to_a_registry(method: str, uri: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        parse(method, uri)
    assert refused.value.refusal.status == status


@given(st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"]), st.text(max_size=80).map("/v2/{}".format))
def test_nothing_else_ever_comes_out(method: str, uri: str) -> None:
    try:
        asked = parse(method, uri)
    except Refused:
        return
    assert asked.kind in (Kind.BASE, Kind.CATALOG) or is_repository(asked.repository)
    assert not asked.source or is_repository(asked.source)
