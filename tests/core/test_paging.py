"""Pages of few rows, which are found rather than counted, and of many: the same rows in the same order, none twice."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.core import paging
from tests.support.world import World

NAMES = [f"p{number}" for number in (3, 1, 7, 2, 6, 4, 5)]


@pytest.fixture(params=[0, 3, 2000], ids=lambda few: f"few={few}")
def world(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(paging, "_FEW", request.param)
    for name in NAMES:
        world.project(name, 1, public=name < "p5")
    return world


def _pages(world: World, path: str, size: int, total: int) -> list[Any]:
    found: list[Any] = []
    for page in range(1, 9):
        answer = world.api("GET", f"{path}&page={page}&page_size={size}", "admin")
        assert answer.headers["X-Total-Count"] == str(total)
        found += answer.get_json()
    return found


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_together_are_everything(world: World, size: int) -> None:
    everything = [project["name"] for project in _pages(world, "/projects?sort=-name", size, 7)]
    assert everything == sorted(NAMES, reverse=True)
    public = [project["name"] for project in _pages(world, "/projects?q=public=true,name=~p", size, 4)]
    assert public == ["p1", "p2", "p3", "p4"]
    assert _pages(world, "/projects?q=name=none", size, 0) == []
    owners = {project["owner_name"] for project in _pages(world, "/projects?q=name=~P", size, 7)}
    assert owners == {"admin"}


def test_all_at_once(world: World) -> None:
    answer = world.api("GET", "/projects?q=public=true&page_size=0", "admin")
    assert [project["name"] for project in answer.get_json()] == ["p1", "p2", "p3", "p4"]
    assert answer.headers["X-Total-Count"] == "4"


def test_rows_that_are_joined_for_their_order(world: World) -> None:
    quotas = _pages(world, "/quotas?sort=used.storage", 3, 7)
    assert [quota["ref"]["name"] for quota in quotas] == NAMES
    assert [quota["ref"]["name"] for quota in _pages(world, "/quotas?sort=-used.storage", 3, 7)] == NAMES[::-1]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("operation=~REA", {"create"}),
        ("operation=~e,resource_type=~roj", {"create"}),
        ("operation=~%25", set()),
        ("resource_type=~user,operation=~reat", {"create"}),
        ("operation=~none", set()),
    ],
)
def test_parts_of_few_values(world: World, q: str, expected: set[str]) -> None:
    every = world.api("GET", "/audit-logs?page_size=100", "admin").get_json()
    found = world.api("GET", f"/audit-logs?page_size=100&q={q}", "admin").get_json()
    assert {entry["operation"] for entry in found} == expected
    if "roj" in q:
        assert [entry["id"] for entry in found] == [entry["id"] for entry in every if entry["resource_type"] == "project"]
