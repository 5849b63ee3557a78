"""What all pages have: language, theme, notices, and errors that people can read."""

from __future__ import annotations

import json
import re

import pytest

from authsvc.ui import files
from tests.support.visitor import Visitor, see
from tests.support.world import World


@pytest.mark.parametrize(
    ("wanted", "given"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("zh-TW", "zh-CN"), ("de,en;q=0.5", "en"), ("de", "en"), ("en-GB,zh;q=0.5", "en"), ("", "en")],
)  # fmt: skip
def test_the_browsers_language(world: World, wanted: str, given: str) -> None:
    answer = Visitor(world, language=wanted).get("/sign-in")
    assert f'<html lang="{given}"' in answer.text
    assert ("登录" in answer.text) is (given == "zh-CN")


def test_language_and_theme_are_chosen(world: World) -> None:
    visitor = Visitor(world)
    assert visitor.post("/look", language="zh-CN", next="/projects").headers["Location"] == "/projects"
    assert "项目" in visitor.page("/projects").text
    assert "data-bs-theme" not in visitor.get("/projects").text, "as the system has it"
    visitor.post("/look", theme="dark", next="/")
    assert 'data-bs-theme="dark"' in visitor.get("/projects").text
    for name, value in (("language", "tlh"), ("theme", '"><script>')):
        assert visitor.post("/look", {name: value}).status_code == 400


def test_the_language_goes_with_the_account(world: World) -> None:
    for name in ("alice", "bob"):
        world.user(name)
    visitor, elsewhere = Visitor(world), Visitor(world)
    visitor.sign_in("alice")
    visitor.post("/look", language="zh-CN", next="/projects")
    elsewhere.sign_in("bob")
    assert "项目" not in elsewhere.page("/projects").text
    elsewhere.sign_in("alice")
    assert "项目" in elsewhere.page("/projects").text
    elsewhere.post("/look", language="en", next="/projects")
    third = Visitor(world, language="zh-CN")
    third.sign_in("alice")
    assert "项目" not in third.page("/projects").text


def test_errors_are_pages_for_people_and_json_for_programs(world: World) -> None:
    visitor = Visitor(world)
    for path in ("/projects/nothing", "/no/such/page"):
        visitor.sign_in("admin")
        answer = visitor.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert "There is nothing here" in see(answer).text
        assert answer.headers["X-Request-Id"] in answer.text
    program = world.client.get("/no/such/page")
    assert (program.status_code, program.mimetype) == (404, "application/json")
    api = visitor.get("/api/v2.0/projects/nothing")
    assert api.mimetype == "application/json", "whoever asks there is a program"
    assert visitor.post("/projects", x="y").status_code == 405


def test_notices(world: World) -> None:
    banner = json.dumps({"message": "Down <b>at</b> noon", "type": "warning", "closable": True})
    body = {"banner_message": banner, "read_only": True}
    assert world.api("PUT", "/configurations", "admin", json=body).status_code == 200
    visitor = Visitor(world)
    seen = visitor.page("/projects")
    assert "Down <b>at</b> noon" in seen.text
    assert "b" not in seen.tags
    assert "Read-only mode" in seen.text
    assert visitor.sign_in("admin").status_code == 303, "logging in changes nothing of the registry's"
    refused = visitor.post("/new-project", name="web")
    assert (refused.status_code, "read only" in see(refused).text) == (403, True)


def test_files_are_kept_until_they_change(world: World) -> None:
    visitor = Visitor(world)
    named = re.findall(r'(?:href|src)="(/static/[^"]+)"', visitor.get("/").text)
    assert len(named) >= 4
    for url in named:
        answer = visitor.get(url)
        assert (answer.status_code, answer.cache_control.max_age) == (200, 365 * 24 * 3600), url
    path = named[0].partition("?")[0]
    for other in ("", "?v=ofanotherone"):
        answer = visitor.get(f"{path}{other}")
        assert (answer.status_code, answer.cache_control.max_age, answer.cache_control.no_cache) == (200, None, True)
    before = files._known.cache_info().currsize
    for outside in ("../shell.py", "%2e%2e/shell.py", "vendor/..%2f../shell.py", "nothing.css?v=None", "vendor"):
        assert visitor.get(f"/static/{outside}").status_code == 404
    assert files._known.cache_info().currsize == before, "nothing else was read"


def test_the_front_page(world: World) -> None:
    visitor = Visitor(world)
    assert "docker login" in visitor.page("/").text
    visitor.sign_in("admin")
    assert visitor.get("/").headers["Location"] == "/projects"
