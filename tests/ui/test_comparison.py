"""Two artifacts side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authsvc.additions.comparison import compare, flat
from authsvc.additions.steps import Step
from authsvc.distribution.manifest import Descriptor
from tests.gate.conftest import Site
from tests.support.ports import NOWHERE
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, digest_of
from tests.support.visitor import Visitor, see

HOSTILE = "<script>alert(1)</script><img src=x>"


def image(site: Site, layers: list[str], **config: Any) -> bytes:
    history = [{"created_by": f"RUN {layer}"} for layer in layers]
    text = json.dumps({"architecture": "amd64", "os": "linux", "config": config, "history": history}).encode()
    manifest = json.loads(site.manifest()) | {
        "config": site.registry.blob(site.repository, text, CONFIG_TYPE),
        "layers": [site.registry.blob(site.repository, layer.encode(), LAYER_TYPE) for layer in layers],
    }
    return json.dumps(manifest).encode()


@pytest.fixture
def guest(site: Site) -> Visitor:
    old, new = ["base", "libraries", "old app"], ["base", "libraries", "new app", HOSTILE]
    assert site.put("v1", image(site, old, Env=["A=1", "B=2"], Labels={"team": "web"}, Cmd=["serve"])).status_code == 201
    assert site.put("v2", image(site, new, Env=["A=1", "B=3"], Labels={HOSTILE: HOSTILE}, Cmd=["serve"])).status_code == 201
    visitor = Visitor(site.world)
    visitor.sign_in("guest")
    return visitor


def path(site: Site, query: str = "") -> str:
    return f"/projects/{site.project}/comparison/app{query}"


def test_what_came_and_what_went(site: Site, guest: Visitor) -> None:
    page = guest.page(path(site, "?from=v1&to=v2"))
    for part in ("Both share 2 layers", "RUN old app", "RUN new app", "Env B", "Labels team", HOSTILE):
        assert part in page.text, part
    assert "Env A" not in page.text
    assert "Cmd" not in page.text
    assert (page.foul, "img" in page.tags) == ([], False)
    gone, came = page.text.index("Layers that are gone"), page.text.index("Layers that came")
    assert gone < page.text.index("RUN old app") < came < page.text.index("RUN new app")
    assert path(site) in guest.page(f"/projects/{site.project}/repositories/app").links
    assert "It is the same artifact." in guest.page(path(site, f"?from=v1&to={site.artifacts()['v1']}")).text


def test_what_cannot_be_compared_is_said(site: Site, guest: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Before" in guest.page(path(site)).text
    for query, status in (("?from=v1&to=nothing", 404), ("?from=v1&to=%3Cimg%3E", 404), ("?from=v1&to=a%00", 400)):
        answer = guest.get(path(site, query))
        assert (answer.status_code, "img" in see(answer).tags) == (status, False), query
    child = site.manifest("child")
    assert site.put(digest_of(child), child).status_code == 201
    index = site.index(child)
    assert site.put("multi", index, media_type=json.loads(index)["mediaType"]).status_code == 201
    assert guest.get(path(site, "?from=v1&to=multi")).status_code == 200
    monkeypatch.setattr(site.world.front.flask.extensions["registry"].transport, "url", f"http://{NOWHERE}")
    assert "They cannot be shown at this moment" in guest.page(path(site, "?from=v1&to=v2")).text


def test_who_may_not_see_compares_nothing(site: Site, guest: Visitor) -> None:
    assert Visitor(site.world).get(path(site, "?from=v1&to=v2")).status_code == 302
    stranger = Visitor(site.world)
    stranger.sign_in("stranger")
    assert stranger.get(path(site, "?from=v1&to=v2")).status_code == 403
    assert guest.get(path(site, "?from=v1&to=v2")).status_code == 200


def test_layers_and_configs_of_any_shape() -> None:
    def layer(name: str, size: int = 1) -> Step:
        return Step(name, Descriptor("x", f"sha256:{name}", size))

    found = compare([layer("a", 5), Step("nothing", None)], [layer("a", 5), layer("a", 5), layer("b")], {}, {"Env": "no list"})
    assert (found.shared, found.shared_bytes, [step.command for step in found.added], found.removed) == (1, 5, ["b"], ())
    assert found.changed == (("Env", None, "no list"),)
    odd = {"Env": ["A", 7, {"x": 1}], "Labels": {"a": None, "b": {"c": 1}}, "Cmd": [1, None], "User": "", "X": None, "N": 0}
    assert flat(odd)["N"] == "0"
    assert flat(odd)["Env A"] == ""
