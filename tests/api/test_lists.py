"""Every list costs the same number of statements whether a page holds one row or a hundred."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from authsvc.core.api import PREFIX
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.wsgi import Front
from tests.bench.big import SMALL
from tests.bench.lists import LISTS, NO_LISTS, List
from tests.bench.long_lists import large
from tests.support.databases import Databases
from tests.support.world import World

_MOST = 15  # of an artifact with everything about it


@pytest.fixture(scope="module")
def world(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A small installation with more than a page of everything."""
    with large(databases, tmp_path_factory.mktemp("lists"), SMALL) as made:
        yield made


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What the application's session asks meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with world.front.flask.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _page(world: World, path: str, who: str, size: int) -> tuple[int, list[str]]:
    url = f"{path}{'&' if '?' in path else '?'}page_size={size}"
    assert world.api("GET", url, who).status_code == 200, url  # whatever is read once is known now
    with statements(world) as seen:
        answer = world.api("GET", url, who)
    assert answer.status_code == 200
    return len(answer.get_json()), seen


@pytest.mark.parametrize("one", LISTS, ids=lambda one: one.name)
def test_a_hundred_rows_cost_as_many_statements_as_two(world: World, one: List) -> None:
    long = [variant for variant in one.variants if not variant.startswith(("page=", "q=", "name=", "entityname=", "group_name="))]
    for variant in ["", *long]:
        path = one.path + (f"{'&' if '?' in one.path else '?'}{variant}" if variant else "")
        for who in one.who:
            few, asked = _page(world, path, who, 2)
            many, asked_for_many = _page(world, path, who, 100)
            assert few == 2
            assert many > few
            assert len(asked) == len(asked_for_many), "\n".join(asked_for_many)
            assert len(asked) <= _MOST


def test_no_list_is_missing_here(make_settings: Callable[..., Settings]) -> None:
    world = World(Front(make_settings()))
    document = world.api("GET", "/openapi.json").get_json()
    world.close()
    lists = {
        path.removeprefix(PREFIX)
        for path, operations in document["paths"].items()
        if any(parameter.get("name") == "page_size" for parameter in operations.get("get", {}).get("parameters", []))
    }
    assert lists == {one.name for one in LISTS} | NO_LISTS
