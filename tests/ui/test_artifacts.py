"""The pages of repositories and artifacts, whatever others have written into their images."""

from __future__ import annotations

import json

import pytest

from authsvc.additions.steps import Step, steps
from authsvc.distribution.manifest import Descriptor
from tests.gate.conftest import Site
from tests.support.ports import NOWHERE
from tests.support.registry import CONFIG_TYPE, digest_of
from tests.support.visitor import Visitor

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e{{ 7 * 7 }}"


@pytest.fixture
def admin(site: Site) -> Visitor:
    visitor = Visitor(site.world)
    visitor.sign_in("admin")
    return visitor


def test_tags_come_first(site: Site, admin: Visitor) -> None:
    child = site.manifest("child")
    assert site.put(digest_of(child), child).status_code == 201
    index = site.index(child)
    assert site.put("multi", index, media_type=json.loads(index)["mediaType"]).status_code == 201
    for number in range(12):
        assert site.put(f"v{number}", site.manifest(f"{number % 3}")).status_code == 201
    there = f"/projects/{site.project}/repositories/app"
    page = admin.page(there)
    assert there in admin.page(f"/projects/{site.project}").links
    assert f"{there}:v11" in page.links
    assert "1 to 13 of 13" in page.text
    assert "linux/arm64" in page.text
    assert "docker pull" in page.text
    found = [link for link in admin.page(f"{there}?search=V1&sort=name").links if link.startswith(f"{there}:")]
    assert found == [f"{there}:{tag}" for tag in ("v1", "v10", "v11")]
    image = admin.page(f"{there}:v11")
    assert f"{there}:v2" in image.links, "which has the same digest"
    assert digest_of(site.manifest("2")) in image.text
    assert f"{there}@{digest_of(child)}" in admin.page(f"{there}:multi").links
    for path in (f"{there}:nothing", f"{there}@sha256:{'0' * 64}", f"{there}x", f"{there}@", "/projects/nothing/repositories/x"):
        assert admin.get(path).status_code == 404, path


def test_who_may_not_pull_sees_nothing(site: Site) -> None:
    assert site.put("v1", site.manifest()).status_code == 201
    there = f"/projects/{site.project}/repositories/app"
    for path in (there, f"{there}:v1", f"{there}/deeper"):
        assert Visitor(site.world).get(path).headers["Location"].startswith("/sign-in")
        stranger = Visitor(site.world)
        stranger.sign_in("stranger")
        assert stranger.get(path).status_code == 403
    guest = Visitor(site.world)
    guest.sign_in("limitedGuest")
    assert guest.get(f"{there}:v1").status_code == 200


def test_what_others_wrote_stays_text(site: Site, admin: Visitor) -> None:
    config = json.dumps(
        {
            "architecture": HOSTILE,
            "os": "linux",
            "author": HOSTILE,
            "config": {"Env": [HOSTILE], "Labels": {HOSTILE: HOSTILE}, "Cmd": [HOSTILE], "ExposedPorts": {HOSTILE: {}}},
            "history": [{"created_by": HOSTILE}, {"created_by": 7}, "x", {"created_by": HOSTILE, "empty_layer": True}],
        }
    ).encode()
    image = json.loads(site.manifest()) | {
        "config": site.registry.blob(site.repository, config, CONFIG_TYPE),
        "annotations": {HOSTILE: HOSTILE},
    }
    assert site.put("v1", json.dumps(image).encode()).status_code == 201
    described = {"description": HOSTILE}
    assert site.world.api("PUT", f"/projects/{site.project}/repositories/app", "maintainer", json=described).status_code == 200
    for path in ("", "/repositories/app", "/repositories/app:v1"):
        page = admin.page(f"/projects/{site.project}{path}")
        assert page.foul == []
        assert "img" not in page.tags
    assert HOSTILE in admin.page(f"/projects/{site.project}/repositories/app:v1").text, "and is no template"


def test_a_registry_that_is_away_is_said(site: Site, admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.put("v1", site.manifest()).status_code == 201
    monkeypatch.setattr(site.world.front.flask.extensions["registry"].transport, "url", f"http://{NOWHERE}")
    page = admin.page(f"/projects/{site.project}/repositories/app:v1")
    assert "They cannot be shown at this moment" in page.text


def test_steps_of_a_build_and_its_layers() -> None:
    layers = [Descriptor("x", f"sha256:{number}", number) for number in range(3)]
    history = [
        {"created_by": "/bin/sh -c #(nop) ADD file in /"},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "RUN true"},
    ]
    found = [(step.command, step.layer.size if step.layer else None) for step in steps(history, layers)]
    assert found == [("ADD file in /", 0), ("ENV A=b", None), ("RUN true", 1), ("", 2)]
    assert [step.layer for step in steps({"no": "list"}, layers)] == layers
    assert steps([{"created_by": "RUN true"}], []) == [Step("RUN true", None)]
