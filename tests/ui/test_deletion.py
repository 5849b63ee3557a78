"""Deleting a tag, an artifact or a repository: what goes, what stays, who may, and only what was meant."""

from __future__ import annotations

import json

import pytest

from tests.gate.conftest import Site
from tests.support.registry import digest_of
from tests.support.visitor import Visitor, see


def visitor(site: Site, name: str) -> Visitor:
    one = Visitor(site.world)
    one.sign_in(name)
    return one


@pytest.fixture
def keeper(site: Site) -> Visitor:
    """A maintainer, in front of tags v1 and v2 of one digest and v3 of another."""
    for tag, content in (("v1", "a"), ("v2", "a"), ("v3", "b")):
        assert site.put(tag, site.manifest(content)).status_code == 201
    return visitor(site, "maintainer")


def pages(site: Site, thing: str) -> tuple[str, str]:
    """Where it is deleted, and what is to be written there."""
    return f"/projects/{site.project}/deletion/app{thing}", f"app{thing}"


def test_a_tag_goes_and_the_others_of_its_digest_stay(site: Site, keeper: Visitor) -> None:
    path, name = pages(site, ":v1")
    assert path in keeper.page(f"/projects/{site.project}/repositories/app:v1").links
    asked = keeper.page(path)
    assert "These tags name it as well, and stay: v2" in asked.text
    done = keeper.post(path, confirmation=name)
    assert (done.status_code, done.headers["Location"]) == (303, f"/projects/{site.project}/repositories/app")
    assert sorted(site.artifacts()) == ["v2", "v3"]
    last = keeper.page(pages(site, ":v3")[0])
    assert "No other tag names it" in last.text
    assert keeper.get(path).status_code == 404, "it is gone"
    assert site.audit("delete")[0]["username"] == "maintainer"


def test_an_artifact_goes_with_all_its_tags(site: Site, keeper: Visitor) -> None:
    path, name = pages(site, f"@{digest_of(site.manifest('a'))}")
    assert "These tags go with it: v1 v2" in keeper.page(path).text
    assert keeper.post(path, confirmation=name).status_code == 303
    assert sorted(site.artifacts()) == ["v3"]


def test_children_go_with_their_index_and_not_without(site: Site, keeper: Visitor) -> None:
    child = site.manifest("child")
    assert site.put(digest_of(child), child).status_code == 201
    index = site.index(child)
    assert site.put("multi", index, media_type=json.loads(index)["mediaType"]).status_code == 201
    path, name = pages(site, f"@{digest_of(child)}")
    refused = keeper.post(path, confirmation=name)
    assert (refused.status_code, "belongs to an image index" in refused.text) == (412, True)
    path, name = pages(site, f"@{digest_of(index)}")
    assert "So does one artifact" in keeper.page(path).text
    assert keeper.post(path, confirmation=name).status_code == 303
    assert keeper.get(f"/projects/{site.project}/repositories/app@{digest_of(child)}").status_code == 404


def test_a_repository_goes_with_everything(site: Site, keeper: Visitor) -> None:
    path, name = pages(site, "")
    assert "2 artifacts go with it" in keeper.page(path).text
    boss = visitor(site, "projectAdmin")
    assert "It holds one repository" in boss.page(f"/projects/{site.project}/settings").text
    done = keeper.post(path, confirmation=name)
    assert (done.status_code, done.headers["Location"]) == (303, f"/projects/{site.project}")
    assert keeper.get(f"/projects/{site.project}/repositories/app").status_code == 404
    assert boss.post(f"/projects/{site.project}/delete", confirmation=site.project).status_code == 303


@pytest.mark.parametrize("thing", ["", ":v1", "@"])
def test_only_what_was_written_is_deleted(site: Site, keeper: Visitor, thing: str) -> None:
    thing = f"@{digest_of(site.manifest('a'))}" if thing == "@" else thing
    path, name = pages(site, thing)
    for wrong in ({}, {"confirmation": ""}, {"confirmation": name.upper()}, {"confirmation": f"{site.project}/{name}"}):
        refused = keeper.post(path, wrong)
        assert (refused.status_code, "nothing was deleted" in see(refused).text) == (400, True)
    assert sorted(site.artifacts()) == ["v1", "v2", "v3"]


@pytest.mark.parametrize("thing", ["@", ":", ":sha256:0", "@v1", "@sha256", "::v1", ":v1@", ":v1:v2"])
def test_what_names_nothing_deletes_nothing(site: Site, keeper: Visitor, thing: str) -> None:
    path, name = pages(site, thing)
    for confirmation in (name, "app", "app:v1"):
        assert keeper.post(path, confirmation=confirmation).status_code == 404
    assert keeper.get(path).status_code == 404
    assert keeper.get(f"/projects/{site.project}/repositories/app{thing}").status_code == 404
    assert sorted(site.artifacts()) == ["v1", "v2", "v3"]


@pytest.mark.parametrize("name", ["developer", "guest", "limitedGuest", "stranger", None])
def test_who_may_not_is_told_who_may(site: Site, keeper: Visitor, name: str | None) -> None:
    one = visitor(site, name) if name else Visitor(site.world)
    for thing in ("", ":v1", f"@{digest_of(site.manifest('a'))}"):
        path, written = pages(site, thing)
        shown = one.get(f"/projects/{site.project}/repositories/app{thing}")
        if shown.status_code == 200:
            assert path not in see(shown).links
            assert "only a maintainer or a stronger role may" in see(shown).text
        assert one.get(path).status_code == (403 if name else 302)
        assert one.post(path, confirmation=written).status_code == (403 if name else 401)
    assert sorted(site.artifacts()) == ["v1", "v2", "v3"]


def test_what_is_immutable_stays(site: Site, keeper: Visitor) -> None:
    rule = {
        "template": "immutable_template",
        "action": "immutable",
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v1"}],
    }
    assert site.world.api("POST", f"/projects/{site.project}/immutabletagrules", "admin", json=rule).status_code == 201
    for thing in ("", ":v1", f"@{digest_of(site.manifest('a'))}"):
        path, name = pages(site, thing)
        if thing:
            asked = keeper.page(path)
            assert "The tag v1 is immutable here" in asked.text
            assert "input" not in asked.tags[asked.tags.index("h1") :]
        refused = keeper.post(path, confirmation=name)
        assert (refused.status_code, "immutable" in refused.text) == (412, True)
    assert keeper.post(pages(site, ":v2")[0], confirmation="app:v2").status_code == 303
    assert sorted(site.artifacts()) == ["v1", "v3"]
