"""The pages of a project's labels and immutable tags."""

from __future__ import annotations

import re

import pytest

from authsvc.rbac.roles import BY_POWER, Role
from tests.gate.conftest import Site
from tests.support.visitor import Visitor, see

HOSTILE = "<img src=x onerror=alert(1)>"


def visitor(site: Site, name: str) -> Visitor:
    one = Visitor(site.world)
    one.sign_in(name)
    return one


@pytest.fixture
def keeper(site: Site) -> Visitor:
    return visitor(site, "maintainer")


def forms(one: Visitor, path: str) -> list[str]:
    return re.findall(rf'action="({path}/\d+)"', one.get(path).text)


def test_a_rule_protects_a_tag_until_it_is_switched_off(site: Site, keeper: Visitor) -> None:
    there = f"/projects/{site.project}/immutability"
    assert site.put("v1", site.manifest("a")).status_code == 201
    assert keeper.post(there, repositories="**", tags="v*").headers["Location"] == there
    assert site.put("v1", site.manifest("b")).status_code == 412
    (form,) = forms(keeper, there)
    assert keeper.post(form, action="disable").status_code == 303
    assert site.put("v1", site.manifest("b")).status_code == 201
    assert keeper.post(form, action="enable").status_code == 303
    assert site.put("v1", site.manifest("c")).status_code == 412
    assert keeper.post(form, action="delete").status_code == 303
    assert site.put("v1", site.manifest("c")).status_code == 201
    assert "No rule here" in keeper.page(there).text
    assert keeper.post(form, action="delete").status_code == 404


def test_all_but_what_matches(site: Site, keeper: Visitor) -> None:
    there = f"/projects/{site.project}/immutability"
    form = {"repositories": "**", "repositories_excluded": "false", "tags": "dev-*", "tags_excluded": "true"}
    assert keeper.post(there, form).status_code == 303
    assert "all but dev-*" in keeper.page(there).text
    assert site.put("dev-1", site.manifest("a")).status_code == 201
    assert site.put("dev-1", site.manifest("b")).status_code == 201
    assert site.put("v1", site.manifest("a")).status_code == 201
    assert site.put("v1", site.manifest("b")).status_code == 412


def test_rules_that_cannot_be_are_said(site: Site, keeper: Visitor) -> None:
    there = f"/projects/{site.project}/immutability"
    assert keeper.post(there, repositories="**", tags="v*").status_code == 303
    for form, status in (
        ({"repositories": "**", "tags": "v*"}, 409),
        ({"repositories": "", "tags": "v*"}, 400),
        ({"tags": "v*"}, 400),
        ({"repositories": "**", "tags": "{a"}, 400),
        ({"repositories": "**", "tags": "x" * 1025}, 400),
        ({"repositories": "a\0", "tags": "v*"}, 400),
    ):
        refused = keeper.post(there, form)
        assert (refused.status_code, refused.mimetype) == (status, "text/html"), form
        assert "alert" in refused.text
    (path,) = forms(keeper, there)
    assert keeper.post(path, action="explode").status_code == 400


def test_labels_are_made_and_deleted(site: Site, keeper: Visitor) -> None:
    there = f"/projects/{site.project}/labels"
    assert keeper.post(there, name=HOSTILE, description=HOSTILE).headers["Location"] == there
    page = keeper.page(there)
    assert HOSTILE in page.text
    assert "img" not in page.tags
    for form, status in (
        ({"name": HOSTILE}, 409),
        ({"name": ""}, 400),
        ({}, 400),
        ({"name": "x" * 129}, 400),
        ({"name": "x", "description": "x" * 1025}, 400),
        ({"name": "a\0"}, 400),
    ):
        refused = keeper.post(there, form)
        assert refused.status_code == status, form
        assert "img" not in see(refused).tags
    (path,) = forms(keeper, there)
    assert keeper.post(path).status_code == 303
    assert "There is no label here." in keeper.page(there).text
    assert keeper.post(path).status_code == 404


def test_what_is_of_another_project_is_nobodys_here(site: Site, keeper: Visitor) -> None:
    site.world.project("other", 1)
    boss = visitor(site, "admin")
    assert boss.post("/projects/other/labels", name="theirs").status_code == 303
    assert boss.post("/projects/other/immutability", repositories="**", tags="v*").status_code == 303
    for kind in ("labels", "immutability"):
        (form,) = forms(boss, f"/projects/other/{kind}")
        ours = form.replace("/other/", f"/{site.project}/")
        assert keeper.post(ours, action="delete").status_code == 404
        assert forms(boss, f"/projects/other/{kind}") == [form]


@pytest.mark.parametrize("role", BY_POWER[2:])
def test_others_change_nothing(site: Site, keeper: Visitor, role: Role) -> None:
    one = visitor(site, role.label)
    for kind, form in (("labels", {"name": "mine"}), ("immutability", {"repositories": "**", "tags": "v*"})):
        there = f"/projects/{site.project}/{kind}"
        assert keeper.post(there, form).status_code == 303
        (path,) = forms(keeper, there)
        assert forms(one, there) == []
        assert one.post(there, form).status_code == 403
        assert one.post(path, action="delete").status_code == 403
        assert Visitor(site.world).post(path, action="delete").status_code == 401
        assert forms(keeper, there) == [path]
