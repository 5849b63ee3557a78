"""Every operation of Harbor's is served by its own name, or answers a clear 501."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from authsvc.core.harbor import operations, shape
from tests.api.operations import OPERATIONS, Kind
from tests.support.world import World

# Method, path, operation id, query, headers, body, statuses; as Harbor's own document has them.
HARBOR = [line.split() for line in (Path(__file__).parent / "harbor_operations.txt").read_text().splitlines() if line[:1] != "#"]
METHODS = {"get", "head", "post", "put", "patch", "delete"}
DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def unserved(world: World) -> set[str]:
    return {
        rule.endpoint.removeprefix("unserved.")
        for rule in world.front.flask.url_map.iter_rules()
        if rule.endpoint.startswith("unserved.")
    }


def document(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.api("GET", "/openapi.json").get_json()
    return found


def test_the_list_is_harbors() -> None:
    assert len(HARBOR) == 203
    assert [(one.method, one.path, one.name) for one in operations()] == [tuple(line[:3]) for line in HARBOR]


def test_each_operation_is_served_or_answers_501_and_never_both(world: World) -> None:
    rules = [rule for rule in world.front.flask.url_map.iter_rules() if rule.rule.startswith("/api/v2.0/")]
    for method, path, name, *_ in HARBOR:
        answering = {
            rule.endpoint for rule in rules if shape(rule.rule) == shape(f"/api/v2.0{path}") and method in (rule.methods or set())
        }
        if f"unserved.{name}" in answering:
            assert answering == {f"unserved.{name}"}
        else:
            assert answering, f"{method} {path}"


def test_what_is_not_served_says_so_to_whoever_is_logged_in(world: World) -> None:
    missing = unserved(world)
    for method, path, name, *_ in HARBOR:
        if name in missing:
            address = re.sub(r"\{[^}]+\}", "1", path)
            assert world.api(method, address).status_code == 401, name
            refused = world.api(method, address, "admin")
            assert refused.status_code == 501, name
            assert refused.get_json()["errors"][0]["code"] == "NOT_IMPLEMENTED"


def test_the_documentation_lists_exactly_what_is_not_served(world: World) -> None:
    section = DOCS.read_text().partition("## Not served")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", section)) == unserved(world)


def test_operations_have_harbors_names_in_the_document(world: World) -> None:
    paths = document(world)["paths"]
    by_shape = {
        (method.upper(), shape(path)): item
        for path, items in paths.items()
        for method, item in items.items()
        if method in METHODS
    }
    for method, path, name, *_ in HARBOR:
        assert by_shape[method, shape(f"/api/v2.0{path}")]["operationId"] == name
    names = [item["operationId"] for item in by_shape.values()]
    assert len(names) == len(set(names))


def test_the_document_says_who_need_not_log_in(world: World) -> None:
    """As the table of who may what has it, which is tried on every operation."""
    found = document(world)
    assert {} not in found["security"]
    for operation in OPERATIONS:
        if operation.path == "/openapi.json":
            continue
        security = found["paths"][f"/api/v2.0{operation.path}"][operation.method.lower()].get("security", found["security"])
        serves_strangers = operation.needs.kind is Kind.ANYONE or operation.is_public
        assert ({} in security) == serves_strangers, str(operation)
