"""Catalog, tags and referrers: what is listed, in which order and pages, and for whom."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from werkzeug.test import TestResponse

from authsvc.artifacts.models import Artifact, Tag
from authsvc.core.db import db, utcnow
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from authsvc.repositories import service as repositories
from tests.gate.conftest import Site
from tests.support.registry import digest_of
from tests.support.world import basic

ABSENT = "sha256:" + "a" * 64


def get(site: Site, path: str, headers: dict[str, str] | None = None) -> TestResponse:
    """GET below `/v2/`; as the guest, with name and password, unless said otherwise."""
    return site.world.client.get(f"/v2/{path}", headers=basic("guest") if headers is None else headers)


def all_pages(site: Site, path: str, key: str) -> list[Any]:
    """Everything, by following the links."""
    found: list[Any] = []
    while path:
        answer = get(site, path)
        assert answer.status_code == 200, answer.text
        found += answer.get_json()[key]
        link = re.fullmatch(r'</v2/(.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    return found


def with_tags(site: Site, names: list[str]) -> None:
    """Put tags into the index, all on one image."""
    digest = digest_of(data := site.manifest())
    site.put(digest, data)
    with site.world.changes():
        repository = repositories.find(site.repository)
        assert repository is not None
        artifact_id = db.session.query(Artifact.id).filter_by(repository_id=repository.id, digest=digest).scalar()
        tags = [
            Tag(repository_id=repository.id, artifact_id=artifact_id, name=name, push_time=utcnow(), pull_time=None)
            for name in names
        ]
        db.session.add_all(tags)


# -- tags --------------------------------------------------------------------------------------------------------------


def test_tags_are_sorted_by_bytes_and_paged(site: Site) -> None:
    names = ["1.10", "1.9", "Z", "_x", "a", "a-b", "a.b", "aB", "ab", "latest"]
    with_tags(site, random.Random(3).sample(names, len(names)))
    answer = get(site, f"{site.repository}/tags/list")
    assert answer.get_json() == {"name": site.repository, "tags": sorted(names)}
    assert "Link" not in answer.headers
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    for size in (1, 3, 9, 10, 11):
        assert all_pages(site, f"{site.repository}/tags/list?n={size}", "tags") == sorted(names)
    page = get(site, f"{site.repository}/tags/list?n=2&last=Y")
    assert page.get_json()["tags"] == ["Z", "_x"]
    assert page.headers["Link"] == f'</v2/{site.repository}/tags/list?last=_x&n=2>; rel="next"'
    assert get(site, f"{site.repository}/tags/list?last=latest").get_json()["tags"] == []
    none = get(site, f"{site.repository}/tags/list?n=0")
    assert (none.get_json()["tags"], "Link" in none.headers) == ([], False)


def test_a_page_is_a_number(site: Site) -> None:
    with_tags(site, ["a"])
    for text in ("-1", "x", "1.5", "%D9%A1", "9" * 30, ""):
        answer = get(site, f"{site.repository}/tags/list?n={text}")
        assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "PAGINATION_NUMBER_INVALID"), text
    assert get(site, "_catalog?n=-1").status_code == 400


def test_unknown_and_empty_repositories(site: Site) -> None:
    answer = get(site, f"{site.project}/none/tags/list")
    assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    site.put(digest_of(data := site.manifest()), data)
    assert get(site, f"{site.repository}/tags/list").get_json() == {"name": site.repository, "tags": []}
    for bad in ("UPPER/app", "a//b", "app"):
        assert get(site, f"{bad}/tags/list").status_code in (400, 404, 308), bad


def test_a_pushed_tag_is_there_at_once_and_a_deleted_one_gone(site: Site) -> None:
    data = site.manifest()
    site.put("a", data)
    site.put("b", data)
    assert get(site, f"{site.repository}/tags/list").get_json()["tags"] == ["a", "b"]
    assert site.delete("a").status_code == 202
    assert get(site, f"{site.repository}/tags/list").get_json()["tags"] == ["b"]
    assert site.registry.client.tags(site.repository) == ["b"]


def test_who_may_list_tags(site: Site) -> None:
    site.put("v1", site.manifest())
    path, scope = f"{site.repository}/tags/list", f"repository:{site.repository}:pull"
    for who in ("guest", "limitedGuest", "developer", "maintainer", "projectAdmin", "admin"):
        assert get(site, path, basic(who)).status_code == 200, who
        assert get(site, path, site.bearer(scope, who)).status_code == 200, who
    nobody = get(site, path, {})
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"] == (
        f'Bearer realm="https://localhost:8443/service/token",service="harbor-registry",scope="{scope}"'
    )
    assert get(site, path, site.bearer(scope, None)).status_code == 401
    stranger = get(site, path, site.bearer(scope, "stranger"))
    unknown = get(site, "nowhere/app/tags/list", site.bearer("repository:nowhere/app:pull", "stranger"))
    assert stranger.status_code == unknown.status_code == 403
    elsewhere = site.bearer(f"repository:{site.project}/other:pull", "guest")
    assert get(site, path, elsewhere).headers["WWW-Authenticate"].endswith(',error="insufficient_scope"')
    assert get(site, path, {"Authorization": "Bearer forged"}).status_code == 401
    assert get(site, path, basic("guest", "wrong")).status_code == 401


def test_anybody_lists_a_public_project_with_a_token(site: Site) -> None:
    site.put("v1", site.manifest())
    site.world.api("PUT", f"/projects/{site.project}", "admin", json={"metadata": {"public": "true"}})
    token = site.bearer(f"repository:{site.repository}:pull", None)
    assert get(site, f"{site.repository}/tags/list", token).get_json()["tags"] == ["v1"]
    assert get(site, f"{site.repository}/tags/list", {}).status_code == 401


# -- catalog -----------------------------------------------------------------------------------------------------------


def test_the_catalog_is_sorted_paged_and_holds_what_the_caller_may_see(site: Site) -> None:
    names = [f"{site.project}/{name}" for name in ("a", "a-b", "a/b", "a_b", "ab")]
    for name in random.Random(5).sample(names, len(names)):
        site.put("v1", site.manifest(repository=name), repository=name)
    with site.world.changes():
        repositories.ensure(f"{site.project}/empty", utcnow())
    assert get(site, "_catalog").get_json() == {"repositories": sorted(names)}
    for size in (1, 2, 5, 6):
        assert all_pages(site, f"_catalog?n={size}", "repositories") == sorted(names)
    assert get(site, "_catalog", site.bearer("registry:catalog:*", "guest")).get_json()["repositories"] == sorted(names)
    assert get(site, "_catalog", basic("stranger")).get_json() == {"repositories": []}
    nobody = get(site, "_catalog", {})
    assert nobody.headers["WWW-Authenticate"].endswith(',scope="registry:catalog:*"')


def test_a_limited_token_widens_nothing_in_the_catalog(site: Site) -> None:
    """Neither shown itself, nor by a registry token that was got with it."""
    site.put("v1", site.manifest())
    site.world.project("elsewhere", 1, public=True)
    user_id = site.world.api("GET", "/users/current", "developer").get_json()["user_id"]
    body = {"name": "t", "actions": ["pull", "read"], "projects": ["elsewhere"]}
    made = site.world.api("POST", f"/users/{user_id}/access-tokens", "developer", json=body)
    assert made.status_code == 201, made.text
    own = basic("developer", made.get_json()["token"])
    assert get(site, "_catalog", own).get_json()["repositories"] == []
    query = {"service": "harbor-registry", "scope": "registry:catalog:*"}
    token = site.world.client.get("/service/token", query_string=query, headers=own).get_json()["token"]
    assert get(site, "_catalog", {"Authorization": f"Bearer {token}"}).get_json()["repositories"] == []


# -- referrers ---------------------------------------------------------------------------------------------------------


def attach(site: Site, subject: str, artifact_type: str, **more: Any) -> bytes:
    described = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
    data = site.manifest(artifact_type, subject=described, artifactType=artifact_type, **more)
    answer = site.put(digest_of(data), data)
    assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, subject)
    return data


def test_referrers_are_described_as_they_describe_themselves(site: Site) -> None:
    site.put("v1", image := site.manifest())
    subject = digest_of(image)
    sbom = attach(site, subject, "application/spdx+json", annotations={"made.by": "tests", "odd": "ü"})
    plain = site.manifest("untyped", subject={"mediaType": OCI_MANIFEST, "digest": subject, "size": len(image)})
    site.put("untyped", plain)
    index = json.dumps(
        json.loads(site.index(image)) | {"subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}}
    ).encode()
    assert site.put(digest_of(index), index, media_type=OCI_INDEX).status_code == 201
    answer = get(site, f"{site.repository}/referrers/{subject}")
    assert (answer.status_code, answer.mimetype) == (200, OCI_INDEX)
    body = answer.get_json()
    assert (body["schemaVersion"], body["mediaType"]) == (2, OCI_INDEX)
    described = {one.pop("digest"): one for one in body["manifests"]}
    assert described == {
        digest_of(sbom): {
            "mediaType": OCI_MANIFEST,
            "size": len(sbom),
            "artifactType": "application/spdx+json",
            "annotations": {"made.by": "tests", "odd": "ü"},
        },
        digest_of(plain): {
            "mediaType": OCI_MANIFEST,
            "size": len(plain),
            "artifactType": "application/vnd.oci.image.config.v1+json",
        },
        digest_of(index): {"mediaType": OCI_INDEX, "size": len(index)},
    }


def test_referrers_are_filtered_by_type_and_paged(site: Site) -> None:
    every = {digest_of(attach(site, ABSENT, "application/a", config=config(site, str(number)))) for number in range(5)}
    other = digest_of(attach(site, ABSENT, "application/b+x"))
    path = f"{site.repository}/referrers/{ABSENT}"
    filtered = get(site, f"{path}?artifactType=application/a")
    assert {one["digest"] for one in filtered.get_json()["manifests"]} == every
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    assert [one["digest"] for one in get(site, f"{path}?artifactType=application/b%2Bx").get_json()["manifests"]] == [other]
    assert get(site, f"{path}?artifactType=none").get_json()["manifests"] == []
    assert "OCI-Filters-Applied" not in get(site, path).headers
    assert [one["digest"] for one in all_pages(site, f"{path}?n=2", "manifests")] == sorted({*every, other})
    assert [one["digest"] for one in all_pages(site, f"{path}?n=2&artifactType=application/a", "manifests")] == sorted(every)


def config(site: Site, content: str) -> dict[str, Any]:
    return site.registry.blob(site.repository, content.encode(), "application/vnd.oci.empty.v1+json")


def test_referrers_of_what_is_not_there(site: Site) -> None:
    answer = get(site, f"{site.project}/none/referrers/{ABSENT}")
    assert (answer.status_code, answer.mimetype, answer.get_json()["manifests"]) == (200, OCI_INDEX, [])
    for bad in ("v1", "sha256:abc", "md5:" + "0" * 32):
        answer = get(site, f"{site.repository}/referrers/{bad}")
        assert (answer.status_code, answer.get_json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    assert get(site, f"{site.repository}/referrers/{ABSENT}", {}).status_code == 401
    assert get(site, f"{site.repository}/referrers/{ABSENT}", basic("stranger")).status_code == 403


def test_a_list_that_a_client_kept_itself_is_read(site: Site) -> None:
    """Its entries were pushed before there was a referrers API; they name their subject, so they are referrers."""
    from authsvc.artifacts import reconcile

    site.put("v1", image := site.manifest())
    subject = digest_of(image)
    described = {"mediaType": OCI_MANIFEST, "digest": subject, "size": len(image)}
    old = site.manifest("old", subject=described, artifactType="application/old")
    site.registry.put(site.repository, None, json.loads(old) | {})
    stored = site.registry.client.digest_of(site.repository, digest_of(json.dumps(json.loads(old)).encode()))
    assert stored is not None
    kept = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": stored, "size": len(old)}],
    }
    site.registry.put(site.repository, subject.replace(":", "-"), kept)
    with site.world.front.flask.app_context():
        assert reconcile.run(site.registry.client).problems == []
    listed = get(site, f"{site.repository}/referrers/{subject}").get_json()["manifests"]
    assert [(one["digest"], one["artifactType"]) for one in listed] == [(stored, "application/old")]
    assert get(site, f"{site.repository}/tags/list").get_json()["tags"] == [subject.replace(":", "-"), "v1"]
    assert set(site.artifacts()) == {"v1"}
