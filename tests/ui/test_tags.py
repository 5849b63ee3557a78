"""Tags on the page of an artifact: another one, where one was before, and back; by whom, and against which rules."""

from __future__ import annotations

import json

import pytest

from authsvc.rbac.roles import Role
from tests.gate.conftest import Site
from tests.support.registry import digest_of
from tests.support.visitor import Visitor, see


def visitor(site: Site, role: Role) -> Visitor:
    one = Visitor(site.world)
    one.sign_in(role.label)
    return one


def there(site: Site, reference: str) -> str:
    return f"/projects/{site.project}/repositories/app{reference}"


def tags(site: Site, reference: str) -> str:
    return f"/projects/{site.project}/tags/app{reference}"


@pytest.fixture
def moved(site: Site) -> tuple[str, str]:
    """`v1` was on one digest, and is on another; both."""
    digests = []
    for content in ("first", "second"):
        data = site.manifest(content)
        assert site.put("v1", data).status_code == 201
        digests.append(digest_of(data))
    return digests[0], digests[1]


def test_another_tag(site: Site, moved: tuple[str, str]) -> None:
    maintainer = visitor(site, Role.MAINTAINER)
    done = maintainer.post(tags(site, f"@{moved[1]}"), tag="stable")
    assert (done.status_code, done.headers["Location"]) == (303, there(site, ":stable"))
    assert site.artifacts() == {"v1": moved[1], "stable": moved[1]}
    for wrong, status in (("v1", 409), ("", 400), ("a b", 400), ("x" * 129, 400)):
        refused = maintainer.post(tags(site, ":v1"), tag=wrong)
        assert refused.status_code == status
        assert "alert-danger" in refused.text
    assert site.artifacts() == {"v1": moved[1], "stable": moved[1]}


def test_where_it_was_and_back(site: Site, moved: tuple[str, str]) -> None:
    boss = visitor(site, Role.PROJECT_ADMIN)
    shown = see(boss.get(there(site, ":v1")))
    history = shown.text.partition("History of this tag")[2]
    assert history.index(moved[1]) < history.index(moved[0])
    assert "developer" in history
    done = boss.post(tags(site, f"@{moved[0]}"), tag="v1", moved="true")
    assert (done.status_code, done.headers["Location"]) == (303, there(site, ":v1"))
    assert site.artifacts() == {"v1": moved[0]}
    history = see(boss.get(there(site, ":v1"))).text.partition("History of this tag")[2]
    assert "projectAdmin" in history
    assert history.index(moved[0]) < history.index(moved[1])


def test_an_immutable_tag_stays(site: Site, moved: tuple[str, str]) -> None:
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
    scope = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
    rule = {"tag_selectors": [selector], "scope_selectors": scope, "action": "immutable", "template": "immutable_template"}
    assert site.world.api("POST", f"/projects/{site.project}/immutabletagrules", "admin", json=rule).status_code == 201
    boss = visitor(site, Role.PROJECT_ADMIN)
    refused = boss.post(tags(site, f"@{moved[0]}"), tag="v1", moved="true")
    assert refused.status_code in (403, 412)
    assert "immutable" in see(refused).text
    assert site.artifacts() == {"v1": moved[1]}


def test_what_was_deleted_is_said(site: Site, moved: tuple[str, str]) -> None:
    assert site.delete("v1").status_code == 202
    assert site.put("v1", site.manifest("third")).status_code == 201
    history = see(visitor(site, Role.PROJECT_ADMIN).get(there(site, ":v1"))).text.partition("History of this tag")[2]
    assert "deleted" in history


@pytest.mark.parametrize("role", [Role.GUEST, Role.LIMITED_GUEST])
def test_who_may_not_tag_sees_no_form(site: Site, moved: tuple[str, str], role: Role) -> None:
    guest = visitor(site, role)
    assert "Another tag" not in guest.get(there(site, ":v1")).text
    assert guest.post(tags(site, f"@{moved[0]}"), tag="v1", moved="true").status_code == 403
    assert Visitor(site.world).post(tags(site, f"@{moved[0]}"), tag="v1", moved="true").status_code in (302, 401)
    assert site.artifacts() == {"v1": moved[1]}


def test_what_is_nowhere_gets_none(site: Site, moved: tuple[str, str]) -> None:
    boss = visitor(site, Role.PROJECT_ADMIN)
    for text in (f"@sha256:{'0' * 64}", ":nothing", "x:v1", ""):
        assert boss.post(tags(site, text), tag="v2").status_code == 404
    assert json.dumps(site.artifacts()) == json.dumps({"v1": moved[1]})
