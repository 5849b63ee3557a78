"""The search: what one may see, and nothing else."""

from __future__ import annotations

import pytest

from authsvc.rbac.roles import Role
from tests.gate.conftest import Site
from tests.support.visitor import Visitor, see


@pytest.fixture
def full(site: Site) -> Site:
    assert site.put("v1", site.manifest()).status_code == 201
    site.world.project("secret-app", 1)
    site.world.project("open-app", 1, public=True)
    site.world.user("app-builder")
    body = {
        "name": "app-ci",
        "level": "project",
        "duration": 30,
        "permissions": [{"kind": "project", "namespace": site.project, "access": [{"resource": "repository", "action": "pull"}]}],
    }
    assert site.world.api("POST", "/robots", "admin", json=body).status_code == 201
    return site


def found(site: Site, name: str | None, text: str = "app") -> set[str]:
    visitor = Visitor(site.world)
    if name:
        visitor.sign_in(name)
    page = visitor.page(f"/search?q={text}")
    assert page.foul == []
    hits = {link for link in page.links if link.startswith(("/projects/", "/admin/users/"))}
    for link in hits:
        assert visitor.get(link).status_code == 200, link
    return hits


def test_everybody_finds_what_he_may_see(full: Site) -> None:
    app = f"/projects/{full.project}/repositories/app"
    assert found(full, None) == {"/projects/open-app"}
    assert found(full, "stranger") == {"/projects/open-app"}
    assert found(full, Role.LIMITED_GUEST.label) == {"/projects/open-app", app}
    everything = found(full, "admin")
    assert {"/projects/open-app", "/projects/secret-app", app, f"/projects/{full.project}/robots?search=app-ci"} < everything
    assert len([link for link in everything if link.startswith("/admin/users/")]) == 1


@pytest.mark.parametrize("who", ["limitedGuest", "stranger", None])
def test_tags_and_digests_are_found_by_how_they_begin(full: Site, who: str | None) -> None:
    digest = full.artifacts()["v1"]
    assert full.put("v12", full.manifest("other")).status_code == 201
    app = f"/projects/{full.project}/repositories/app"
    may = who == "limitedGuest"
    assert found(full, who, f"{full.project}/app:v1") == ({f"{app}:v1", f"{app}:v12"} if may else set())
    assert found(full, who, "app:v12") == ({f"{app}:v12"} if may else set())
    assert found(full, who, "app:2") == set()
    for text in (digest, digest[:13], digest.removeprefix("sha256:")[:6], digest.removeprefix("sha256:")):
        assert found(full, who, text) == ({f"{app}@{digest}"} if may else set()), text
    for text in (digest[:12], f"{digest}0", digest.upper(), "sha256:%25%25%25%25%25%25"):
        assert found(full, who, text) == set(), text


@pytest.mark.parametrize("text", ["%25", "_", "nothing", "%3Cb%3E", "%22%3E%3Cimg%20src=x%3E"])
def test_nothing_is_found_and_said(full: Site, text: str) -> None:
    assert found(full, "admin", text) == set()
    page = see(Visitor(full.world).get(f"/search?q={text}"))
    assert "Nothing that you may see is called anything like" in page.text
    assert not {"b", "img"} & set(page.tags)


def test_too_much_and_nothing(full: Site) -> None:
    visitor = Visitor(full.world)
    assert "Nothing that" not in visitor.page("/search").text
    assert visitor.get(f"/search?q={'x' * 256}").status_code == 400
    for number in range(25):
        full.world.project(f"many-{number:02}", 1, public=True)
    text = visitor.page("/search?q=many").text
    assert "many-19" in text
    assert "many-20" not in text
    assert "There are more" in text
