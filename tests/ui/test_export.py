"""Tables as files: all that was asked for, in the same order, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json

import pytest

from authsvc.audit import service as audit
from authsvc.ui import export
from tests.gate.conftest import Site
from tests.support.visitor import Visitor
from tests.support.world import World


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def boss(world: World) -> Visitor:
    visitor = Visitor(world)
    visitor.sign_in("admin")
    return visitor


def test_tags_as_they_were_asked_for(site: Site) -> None:
    for number in range(60):
        assert site.put(f"v{number}", site.manifest(f"{number % 3}")).status_code == 201
    assert site.put("other", site.manifest("4")).status_code == 201
    visitor, there = boss(site.world), f"/projects/{site.project}/repositories/app"
    page = visitor.page(f"{there}?search=v&sort=name")
    (link,) = (one for one in page.links if "format=csv" in one)
    answer = visitor.get(link)
    assert answer.content_type.startswith("text/csv")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{site.project}-app-tags.csv"'
    found = rows(answer.text)
    assert [row["tag"] for row in found] == sorted(f"v{number}" for number in range(60))
    tags = site.artifacts()
    assert all(row["digest"] == tags[row["tag"]] for row in found if row["tag"] in tags)
    as_json = json.loads(visitor.get(f"{there}?search=v&sort=name&format=json").text)
    assert [row["tag"] for row in as_json] == [row["tag"] for row in found]
    assert visitor.get(f"{there}?search=nothing&format=csv").text.strip() == ""
    assert visitor.get(f"{there}?format=xls").status_code == 400


def test_no_cell_is_a_formula(world: World) -> None:
    hostile = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", 'a","b', "line\nbreak", "plain")
    with world.changes():
        for name in hostile:
            audit.record(name, "create", "label", name)
    visitor = boss(world)
    found = rows(visitor.get("/admin/log?kind=label&format=csv").text)
    assert {row["resource"] for row in found} == {
        f"'{name}" if name.startswith(("=", "+", "-", "@", "\t")) else name for name in hostile
    }
    assert {row["resource"] for row in json.loads(visitor.get("/admin/log?kind=label&format=json").text)} == set(hostile)


def test_not_more_than_a_browser_bears(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST", 3)
    for number in range(5):
        world.user(f"user{number}")
    found = rows(boss(world).get("/admin/users?sort=name&format=csv").text)
    assert [row["username"] for row in found] == ["admin", "user0", "user1"]
    assert "password" not in json.dumps(found)


def test_who_may_not_see_it_gets_no_file(site: Site) -> None:
    assert site.put("v1", site.manifest()).status_code == 201
    stranger = Visitor(site.world)
    stranger.sign_in("stranger")
    for path in (f"/projects/{site.project}/repositories/app", f"/projects/{site.project}/logs", "/admin/log", "/admin/users"):
        assert stranger.get(f"{path}?format=csv").status_code == 403
