"""The page of quotas: what each project uses, and limits set and taken away."""

from __future__ import annotations

import pytest

from tests.support.visitor import Visitor, see
from tests.support.world import World

THERE = "/admin/quotas"


@pytest.fixture
def boss(world: World) -> Visitor:
    for name in ("small", "large"):
        world.project(name, 1)
    made = Visitor(world)
    made.sign_in("admin")
    return made


def limit(world: World, name: str) -> int:
    quotas = world.api("GET", "/quotas", "admin").get_json()
    (found,) = (one["hard"]["storage"] for one in quotas if one["ref"]["name"] == name)
    return int(found)


def form_of(world: World, name: str) -> str:
    quotas = world.api("GET", "/quotas", "admin").get_json()
    (found,) = (one["id"] for one in quotas if one["ref"]["name"] == name)
    return f"{THERE}/{found}"


def test_limits_are_set_and_taken_away(world: World, boss: Visitor) -> None:
    back = f"{THERE}?search=small"
    saved = boss.post(form_of(world, "small"), limit="3", unit="GiB", back=back)
    assert (saved.status_code, saved.headers["Location"]) == (303, back)
    assert limit(world, "small") == 3 * 2**30
    assert limit(world, "large") == -1
    assert 'value="3"' in boss.get(back).text
    assert "large" not in boss.page(back).text
    assert boss.post(form_of(world, "small"), limit="", unit="GiB").status_code == 303
    assert limit(world, "small") == -1


@pytest.mark.parametrize(
    ("number", "unit"), [("-1", "GiB"), ("many", "GiB"), ("0", "GiB"), ("1", "kg"), ("9" * 12, "TiB"), ("٣", "GiB")]
)
def test_what_is_no_limit_changes_nothing(world: World, boss: Visitor, number: str, unit: str) -> None:
    refused = boss.post(form_of(world, "small"), limit=number, unit=unit)
    assert refused.status_code == 400
    assert "alert" in refused.text
    assert limit(world, "small") == -1


def test_nobody_is_sent_elsewhere_and_others_are_kept_out(world: World, boss: Visitor) -> None:
    there = form_of(world, "small")
    assert boss.post(there, limit="1", unit="GiB", back="//example.com").headers["Location"] == "/"
    assert boss.post(f"{THERE}/4711", limit="1", unit="GiB").status_code == 404
    world.user("alice")
    visitor = Visitor(world)
    visitor.sign_in("alice")
    assert visitor.get(THERE).status_code == 403
    assert visitor.post(there, limit="", unit="GiB").status_code == 403
    assert limit(world, "small") == 2**30


def test_it_says_when_no_quota_is_looked_at(world: World, boss: Visitor) -> None:
    assert "New projects have no limit." in boss.page(THERE).text
    world.api("PUT", "/configurations", "admin", json={"quota_per_project_enable": False})
    assert "No quota is looked at" in see(boss.get(THERE)).text
