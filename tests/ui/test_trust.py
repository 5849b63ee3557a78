"""The page of trusted jobs: rules made from lines of claims, listed with what they give, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/admin/trust"
RULE = {
    "name": "web-main",
    "issuer": "https://issuer.example.com",
    "audience": "localhost:8443",
    "project": "web",
    "repositories": "frontend-*",
    "claims": "repository=example/web\r\n ref = refs/heads/main \r\n\r\n",
    "action": ["pull", "push"],
}


@pytest.fixture
def boss(world: World) -> Visitor:
    world.project("web", 1)
    made = Visitor(world)
    made.sign_in("admin")
    return made


def rules(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.api("GET", "/system/trust-rules", "admin").get_json()
    return found


def test_a_rule_is_made_listed_and_deleted(world: World, boss: Visitor) -> None:
    assert 'value="localhost:8443"' in boss.get(THERE).text
    made = boss.post(THERE, RULE)
    assert (made.status_code, made.headers["Location"]) == (303, THERE)
    (rule,) = rules(world)
    assert rule["claims"] == {"repository": "example/web", "ref": "refs/heads/main"}
    assert (rule["project"], rule["repositories"], rule["actions"]) == ("web", "frontend-*", ["pull", "push"])
    seen = boss.page(THERE)
    assert "repository=example/web" in seen.text
    assert not seen.foul
    assert boss.post(f"{THERE}/{rule['id']}").headers["Location"] == THERE
    assert rules(world) == []
    assert boss.post(f"{THERE}/{rule['id']}").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"issuer": "ftp://issuer.example.com"},
        {"audience": ""},
        {"project": "nowhere"},
        {"claims": ""},
        {"claims": "repository=*"},
        {"claims": "repository"},
        {"claims": "repository="},
        {"claims": "a=b\na=c"},
        {"claims": f"a={'b' * 256}"},
        {"action": []},
        {"action": ["rule"]},
        {"name": "x" * 256},
    ],
)
def test_what_is_no_rule_is_refused_and_not_forgotten(world: World, boss: Visitor, changes: dict[str, Any]) -> None:
    refused = boss.post(THERE, RULE | changes)
    assert refused.status_code in (400, 404)
    assert "alert-danger" in refused.text
    if "claims" not in changes:
        assert "ref = refs/heads/main" in see(refused).text
    assert rules(world) == []


def test_they_are_for_system_administrators(world: World, boss: Visitor) -> None:
    boss.post(THERE, RULE)
    world.user("alice")
    visitor = Visitor(world)
    visitor.sign_in("alice")
    assert visitor.get(THERE).status_code == 403
    assert visitor.post(THERE, RULE | {"name": "mine"}).status_code == 403
    assert visitor.post(f"{THERE}/{rules(world)[0]['id']}").status_code == 403
    assert len(rules(world)) == 1
