"""What is shown of artifacts: lists with everything they can be shown with, types, links, icons."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import quote

from sqlalchemy import event

from authsvc.core.db import db
from tests.support.shelf import CONFIG_TYPE, LAYER_TYPE, Shelf


def label(shelf: Shelf, name: str) -> int:
    made = shelf.world.api("POST", "/labels", "admin", json={"name": name, "scope": "p", "project_id": shelf.project_id})
    return int(made.headers["Location"].rpartition("/")[2])


def test_what_an_artifact_is_shown_with(shelf: Shelf) -> None:
    digest = shelf.image("a/b", "v1")
    one = label(shelf, "one")
    assert shelf.world.api("POST", shelf.path("a/b", "/v1/labels"), "admin", json={"id": one}).status_code == 200
    (plain,) = shelf.get("a/b")
    assert (plain["type"], plain["digest"], [tag["name"] for tag in plain["tags"]]) == ("IMAGE", digest, ["v1"])
    assert "labels" not in plain
    link = f"/api/v2.0/projects/{shelf.project}/repositories/a%252Fb/artifacts/{digest}/additions/build_history"
    assert plain["addition_links"] == {"build_history": {"href": link, "absolute": False}}
    (bare,) = shelf.get("a/b", "?with_tag=false&with_label=true")
    assert "tags" not in bare
    assert [(entry["id"], entry["name"], entry["scope"]) for entry in bare["labels"]] == [(one, "one", "p")]
    assert shelf.get("a/b", "/v1?with_label=true&page=1&page_size=10")["labels"] == bare["labels"]
    icon = shelf.world.api("GET", f"/icons/{plain['icon']}").get_json()
    assert icon["content-type"] == "image/svg+xml"
    assert base64.b64decode(icon["content"]).startswith(b"<svg")


def test_icons_that_are_not_there(shelf: Shelf) -> None:
    assert shelf.world.api("GET", "/icons/nothing").status_code == 400
    assert shelf.world.api("GET", f"/icons/sha256:{'0' * 64}").status_code == 404


def test_labels_on_and_off(shelf: Shelf) -> None:
    shelf.image("app", "v1")
    one, path = label(shelf, "one"), shelf.path("app", "/v1/labels")
    other = shelf.world.project("other", 1)
    made = shelf.world.api("POST", "/labels", "admin", json={"name": "foreign", "scope": "p", "project_id": other})
    foreign = int(made.headers["Location"].rpartition("/")[2])

    def put(label_id: int) -> int:
        return shelf.world.api("POST", path, "admin", json={"id": label_id}).status_code

    assert [put(one), put(one), put(foreign), put(99)] == [200, 409, 404, 404]
    assert shelf.world.api("POST", path, "admin", json={}).status_code == 404
    assert shelf.world.api("DELETE", f"{path}/{one}", "admin").status_code == 200
    assert shelf.world.api("DELETE", f"{path}/{one}", "admin").status_code == 404
    assert put(one) == 200
    assert shelf.world.api("DELETE", f"/labels/{one}", "admin").status_code == 200
    assert "labels" not in shelf.get("app", "/v1?with_label=true")


def test_where_a_blob_can_be_mounted_from(shelf: Shelf) -> None:
    """As Harbor asks when it replicates to us; it fails if it is told of any other repository."""
    config, layer = (b"{}", CONFIG_TYPE), (b"a layer of its own", LAYER_TYPE)
    shelf.image("other", "v1")
    shelf.manifest("a/b", "v1", config, layer)
    shelf.world.user("alice")

    def found(digest: str, who: str) -> list[str]:
        answer = shelf.world.api("GET", f"/repositories?q=blob_digest={digest}&page_size=1&page_number=1", who)
        assert answer.status_code == 200, answer.text
        return [repository["name"] for repository in answer.get_json()]

    digest = f"sha256:{hashlib.sha256(layer[0]).hexdigest()}"
    assert found(digest, "admin") == [f"{shelf.project}/a/b"]
    assert found(digest, "alice") == found(f"sha256:{'0' * 64}", "admin") == []
    assert shelf.world.api("GET", "/repositories?q=blob_digest=~a", "admin").status_code == 400


def test_q_finds_by_tag_label_type_and_digest(shelf: Shelf) -> None:
    first, second = shelf.image("app", "v1", "1"), shelf.image("app", "v2", "2")
    index, children = shelf.index("app", "multi", "amd64", "arm64")
    one, two = label(shelf, "one"), label(shelf, "two")
    for tag, label_id in (("v1", one), ("v1", two), ("v2", two)):
        assert shelf.world.api("POST", shelf.path("app", f"/{tag}/labels"), "admin", json={"id": label_id}).status_code == 200

    def found(q: str) -> set[str]:
        return {row["digest"] for row in shelf.get("app", f"?q={quote(quote(q))}")}

    assert found("") == {first, second, index}
    assert found("base=*") == {first, second, index, *children}
    counted = shelf.world.api("GET", f"/projects/{shelf.project}/repositories/app", "admin").get_json()["artifact_count"]
    assert counted == len(found(""))
    assert found("tags=v1") == {first}
    assert found("tags=~V") == {first, second}
    assert found("tags=nil") == set()
    assert found("tags=nil,base=*") == set(children)
    assert found("tags=*") == {first, second, index}
    assert found(f"labels=({one} {two})") == {first}
    assert found(f"labels={{{one} {two}}}") == {first, second}
    assert found(f"labels={two}") == {first, second}
    assert found("labels=(99)") == set()
    assert found("type=IMAGE") == {first, second, index}
    assert found("type=CHART") == set()
    assert found(f"digest={first}") == {first}
    assert found(f"media_type={CONFIG_TYPE}") == {first, second}
    for wrong in ("labels=(x)", "labels=~1", "labels=[1~2]", "tags=[a~b]"):
        assert shelf.world.api("GET", shelf.path("app", f"?q={wrong}"), "admin").status_code == 400, wrong


def test_references_are_those_of_the_same_repository(shelf: Shelf) -> None:
    _, children = shelf.index("app", "multi", "amd64", "arm64")
    shelf.index("copy", "multi", "amd64", "arm64")  # the same digests, elsewhere
    (listed,) = shelf.get("app")
    assert [(row["child_digest"], row["platform"]["architecture"]) for row in listed["references"]] == [
        (children[0], "amd64"),
        (children[1], "arm64"),
    ]
    ids = [shelf.get("app", f"/{child}")["id"] for child in children]
    assert [row["child_id"] for row in listed["references"]] == ids
    assert {row["parent_id"] for row in listed["references"]} == {listed["id"]}
    assert "addition_links" not in listed  # an index has no history of its own


def test_all_artifacts_of_a_project(shelf: Shelf) -> None:
    old, new = shelf.image("app", "v1", "old"), shelf.image("app", "v2", "new")
    other = shelf.image("deep/er", "v1", "other")
    rows = shelf.world.api("GET", f"/projects/{shelf.project}/artifacts", "admin").get_json()
    assert {(row["repository_name"].partition("/")[2], row["digest"]) for row in rows} == {
        ("app", old), ("app", new), ("deep/er", other),
    }  # fmt: skip

    def latest(q: str) -> tuple[int, list[str]]:
        response = shelf.world.api(
            "GET", f"/projects/{shelf.project}/artifacts?latest_in_repository=true&q={quote(quote(q))}", "admin"
        )
        return response.status_code, sorted(row["digest"] for row in response.get_json()) if response.status_code == 200 else []

    assert latest(f"media_type={CONFIG_TYPE}") == (200, sorted([new, other]))
    assert latest(f"artifact_type={CONFIG_TYPE}") == (200, sorted([new, other]))
    assert latest("") == (400, [])
    assert latest(f"media_type={CONFIG_TYPE},artifact_type={CONFIG_TYPE}") == (400, [])


def test_types_and_attributes(shelf: Shelf) -> None:
    layer = (b"x", LAYER_TYPE)
    shelf.image("app", "image")
    shelf.chart("chart", "1.0.0", {}, description="A chart")
    shelf.manifest("app", "rocket", (b'{"fuel": 7}', "application/vnd.acme.rocket.config.v1+json"), layer)
    shelf.manifest("app", "none", (b"no json", "application/octet-stream"), layer)
    shelf.manifest("app", "infinite", (b'{"fuel": 1e999}', "application/vnd.acme.rocket.config.v2+json"), layer)
    deep = b'{"a":' * 500 + b"1" + b"}" * 500
    shelf.manifest("app", "deep", (deep, "application/vnd.acme.rocket.config.v3+json"), layer)
    wasm = {"module.wasm.image/variant": "compat"}
    shelf.manifest("app", "wasm", (json.dumps({"os": "wasi"}).encode(), CONFIG_TYPE), layer, annotations=wasm)
    shelf.manifest("app", "model", (b"{}", "application/vnd.cncf.model.config.v1+json"), layer)
    shelf.manifest("app", "sbom", (b"{ }", "application/vnd.goharbor.harbor.sbom.v1"), layer)

    def shown(tag: str, repository: str = "app") -> tuple[str, object]:
        artifact = shelf.get(repository, f"/{tag}")
        return artifact["type"], artifact.get("extra_attrs")

    assert shown("image")[1] == {"architecture": "amd64", "os": "linux", "author": "x", "config": {"Env": ["A=b"]}}
    assert shown("1.0.0", "chart") == (
        "CHART",
        {"name": "chart", "version": "1.0.0", "apiVersion": "v2", "description": "A chart"},
    )
    assert shown("rocket") == ("ROCKET", {"fuel": 7})
    assert shown("none") == ("UNKNOWN", None)
    assert shown("infinite") == ("ROCKET", None)
    assert shown("deep") == ("ROCKET", None)
    assert shown("wasm") == ("WASM", {"os": "wasi"})
    assert [shown(tag)[0] for tag in ("model", "sbom")] == ["CNAI", "SBOM"]


def test_a_page_of_many_costs_as_many_queries_as_a_page_of_one(shelf: Shelf) -> None:
    one = label(shelf, "one")
    for number in range(4):
        shelf.image("app", f"v{number}", str(number))
        shelf.world.api("POST", shelf.path("app", f"/v{number}/labels"), "admin", json={"id": one})
    shelf.index("app", "multi", "amd64", "arm64")
    asked: list[str] = []
    with shelf.world.front.flask.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    def queries(path: str) -> int:
        asked.clear()
        assert shelf.world.api("GET", path, "admin").status_code == 200
        return len(asked)

    everything = "with_label=true&with_immutable_status=true"
    for path in (shelf.path("app", f"?{everything}"), f"/projects/{shelf.project}/artifacts?{everything}"):
        queries(path)
        assert queries(f"{path}&page_size=1") == queries(f"{path}&page_size=100")
