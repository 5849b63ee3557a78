"""Immutable tags and quotas on the way of a push, with a real registry behind it."""

from __future__ import annotations

import json

import pytest

from authsvc.distribution.manifest import OCI_INDEX
from tests.gate.conftest import Site
from tests.gate.test_races import PUSHERS, race
from tests.gate.test_writes import left_over
from tests.support.registry import digest_of


def immutable(site: Site, tags: str) -> None:
    body = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": tags}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }
    assert site.world.api("POST", f"/projects/{site.project}/immutabletagrules", "admin", json=body).status_code == 201


def limit(site: Site, size: int) -> None:
    body = {"hard": {"storage": size}}
    assert site.world.api("PUT", f"/quotas/{site.project_id}", "admin", json=body).status_code == 200


def used(site: Site) -> int:
    return int(site.world.api("GET", f"/quotas/{site.project_id}", "admin").get_json()["used"]["storage"])


def test_an_immutable_tag_is_pushed_once(site: Site) -> None:
    immutable(site, "v*")
    data = site.manifest("one")
    assert site.put("v1", data).status_code == 201
    for again in (data, site.manifest("two")):
        answer = site.put("v1", again)
        (error,) = answer.get_json()["errors"]
        assert (answer.status_code, error["code"]) == (412, "PRECONDITION")
        assert "Failed to process request due to 'app:v1' configured as immutable." in error["message"]
        assert "immutable tag rule" in error["message"]
    assert site.put("latest", site.manifest("two")).status_code == 201
    assert site.put("latest", data).status_code == 201, "no rule speaks of this one"
    assert site.delete("v1").status_code == 412
    assert site.delete(digest_of(data)).status_code == 412, "v1 is on it"
    assert site.delete("latest").status_code == 202
    assert site.artifacts() == {"v1": digest_of(data)}


def test_a_quota_is_never_exceeded(site: Site) -> None:
    one, two = site.manifest("one"), site.manifest("two")
    assert site.put("v1", one).status_code == 201
    size = used(site)
    assert size > len(one)
    limit(site, size)
    answer = site.put("v2", two)
    (error,) = answer.get_json()["errors"]
    assert (answer.status_code, error["code"]) == (403, "DENIED")
    assert "of storage resource, which when updated to current usage of" in error["message"]
    assert site.put("again", one).status_code == 201, "it adds nothing"
    assert site.put("again", one, repository=f"{site.project}/app").status_code == 201
    site.world.api("PUT", "/configurations", "admin", json={"quota_per_project_enable": False})
    assert site.put("v2", two).status_code == 201
    site.world.api("PUT", "/configurations", "admin", json={"quota_per_project_enable": True})
    assert used(site) > size, "over the limit now; what is there stays"
    assert site.put("v3", site.manifest("three")).status_code == 403
    assert site.delete(digest_of(two)).status_code == 202
    assert used(site) == size


def test_what_one_project_stores_once_counts_once(site: Site) -> None:
    one = site.manifest("one")
    assert site.put("v1", one).status_code == 201
    size = used(site)
    other = site.manifest("one", repository=f"{site.project}/other")
    assert site.put("v1", other, repository=f"{site.project}/other").status_code == 201
    assert used(site) == size
    index = site.index(one)
    assert site.put("multi", index, media_type=OCI_INDEX).status_code == 201
    assert used(site) == size + len(index)


@pytest.mark.parametrize("claimed", [0, 2**43])
def test_what_counts_is_what_is_stored_whatever_a_manifest_says(site: Site, claimed: int) -> None:
    """Neither is a quota evaded, nor that of another project filled, by a false size of a layer that both have."""
    honest = site.manifest(f"layer claimed {claimed}")
    lying = json.loads(honest)
    lying["layers"][0]["size"] = claimed
    data = json.dumps(lying).encode()
    assert site.put("v1", data).status_code == 201
    true = sum(blob["size"] for blob in (json.loads(honest)["config"], *json.loads(honest)["layers"]))
    assert used(site) == len(data) + true
    listed = site.world.api("GET", f"/projects/{site.project}/repositories/app/artifacts/v1", "admin").get_json()
    assert listed["size"] == len(data) + true
    assert site.put("v2", honest).status_code == 201
    assert used(site) == len(data) + len(honest) + true
    limit(site, used(site) + 100)
    other = json.loads(site.manifest("another layer"))
    other["layers"][0]["size"] = 0
    assert site.put("v3", json.dumps(other).encode()).status_code == 403


@pytest.mark.parametrize("fitting", [1, 20])
def test_concurrent_pushes_never_exceed_a_quota(site: Site, fitting: int) -> None:
    """Each brings the same number of bytes; of 64 at once exactly so many get in as fit, and the usage is exact."""
    first, *others = [site.manifest(f"{number:04}") for number in range(PUSHERS + 1)]
    assert site.put("first", first).status_code == 201
    each = used(site)
    limit(site, each * (1 + fitting))
    statuses = race(site, [(f"t{number}", data) for number, data in enumerate(others)])
    assert sorted(statuses) == [201] * fitting + [403] * (PUSHERS - fitting)
    assert used(site) == each * (1 + fitting)
    assert left_over(site) == 0
