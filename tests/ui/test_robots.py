"""The page of a project's robots: made, shown their secret once, disabled, renewed, deleted; by whom, and within which project."""

from __future__ import annotations

import re

import pytest

from authsvc.rbac.roles import BY_POWER, Role
from tests.support.visitor import Visitor, see
from tests.support.world import World, basic, granted_by

THERE = "/projects/team/robots"


@pytest.fixture
def team(world: World) -> World:
    world.project("team", 1)
    world.project("other", 1)
    for role in BY_POWER:
        world.user(role.label)
        world.member("team", role.label, role)
    return world


def visitor(world: World, name: str) -> Visitor:
    one = Visitor(world)
    one.sign_in(name)
    return one


def secret_on(page: str) -> str:
    found = re.search(r'id="secret">(tgb_[^<]+)<', page)
    assert found is not None
    return found[1]


def may_log_in(world: World, secret: str) -> bool:
    answer = world.client.get("/service/token?service=harbor-registry", headers=basic("robot$team+ci", secret))
    return answer.status_code == 200


def robots(world: World) -> dict[str, bool]:
    """name -> disabled"""
    return {one["name"]: one["disable"] for one in world.api("GET", "/projects/team/robots", "admin").get_json()}


def form_of(boss: Visitor, name: str) -> str:
    found = re.search(rf'<th scope="row">robot\$team\+{name}.*?action="([^"]+)"', boss.get(THERE).text, re.DOTALL)
    assert found is not None
    return found[1]


def test_a_robot_is_made_and_its_secret_shown_once(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    made = boss.post(THERE, name="ci", description="<b>builds</b>", duty="push", days="30")
    assert (made.status_code, made.cache_control.no_store) == (200, True)
    secret = secret_on(made.text)
    assert "docker login" in made.text
    assert may_log_in(team, secret)
    listed = boss.get(THERE)
    assert secret not in listed.text
    assert "robot$team+ci" in see(listed).text
    assert "b" not in see(listed).tags
    assert "in 1 month" in see(listed).text
    assert "repository:push" in see(listed).text


@pytest.mark.parametrize(
    ("duty", "held"), [("pull", {"pull"}), ("push", {"pull", "push"}), ("delete", {"pull", "push", "delete"})]
)
def test_each_duty_gives_what_it_says(team: World, duty: str, held: set[str]) -> None:
    secret = secret_on(visitor(team, "projectAdmin").post(THERE, name="ci", duty=duty, days="").text)
    for project, expected in (("team", held), ("other", set())):
        asked = f"/service/token?service=harbor-registry&scope=repository:{project}/app:pull,push,delete"
        answer = team.client.get(asked, headers=basic("robot$team+ci", secret)).get_json()
        assert {action for actions in granted_by(answer["token"]).values() for action in actions} == expected


def test_it_is_disabled_enabled_renewed_and_deleted(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    secret = secret_on(boss.post(THERE, name="ci", duty="pull", days="").text)
    form = form_of(boss, "ci")
    assert boss.post(form, action="disable").headers["Location"] == THERE
    assert robots(team) == {"robot$team+ci": True}
    assert not may_log_in(team, secret)
    assert boss.post(form, action="enable").status_code == 303
    assert may_log_in(team, secret)
    renewed = secret_on(boss.post(form, action="secret").text)
    assert not may_log_in(team, secret)
    assert may_log_in(team, renewed)
    assert boss.post(form, action="delete").status_code == 303
    assert robots(team) == {}
    assert boss.post(form, action="disable").status_code == 404


def test_what_cannot_be_is_said_and_changes_nothing(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    assert boss.post(THERE, name="ci", duty="pull", days="").status_code == 200
    for form, status in (
        ({"name": "ci", "duty": "pull", "days": ""}, 409),
        ({"name": "<img>", "duty": "pull", "days": ""}, 400),
        ({"name": "", "duty": "pull"}, 400),
        ({"name": "x", "duty": "everything"}, 400),
        ({"name": "x"}, 400),
        ({"name": "x", "duty": "pull", "days": "0"}, 400),
        ({"name": "x", "duty": "pull", "days": "-1"}, 400),
        ({"name": "x", "duty": "pull", "days": "999999"}, 400),
        ({"name": "x", "duty": "pull", "days": "٣"}, 400),
        ({"name": "x", "duty": "pull", "description": "x" * 1025}, 400),
        ({"name": "x", "duty": "pull", "description": "a\0"}, 400),
    ):
        refused = boss.post(THERE, form)
        assert (refused.status_code, refused.mimetype) == (status, "text/html"), form
        assert "img" not in see(refused).tags
        assert "alert" in refused.text
    assert boss.post(form_of(boss, "ci"), action="explode").status_code == 400
    assert robots(team) == {"robot$team+ci": False}


@pytest.mark.parametrize("role", BY_POWER[1:])
def test_others_change_nothing(team: World, role: Role) -> None:
    boss, one = visitor(team, "projectAdmin"), visitor(team, role.label)
    boss.post(THERE, name="ci", duty="pull", days="")
    form = form_of(boss, "ci")
    shown = one.get(THERE)
    assert shown.status_code == (403 if role is Role.LIMITED_GUEST else 200)
    assert form not in shown.text
    assert one.post(THERE, name="mine", duty="pull", days="").status_code == 403
    for action in ("disable", "enable", "secret", "delete"):
        assert one.post(form, action=action).status_code == 403, action
    assert robots(team) == {"robot$team+ci": False}


def test_a_robot_of_another_project_is_nobodys_here(team: World) -> None:
    visitor(team, "admin").post("/projects/other/robots", name="ci", duty="pull", days="")
    (other,) = team.api("GET", "/projects/other/robots", "admin").get_json()
    boss = visitor(team, "projectAdmin")
    for action in ("disable", "secret", "delete"):
        assert boss.post(f"{THERE}/{other['id']}", action=action).status_code == 404
    (still,) = team.api("GET", "/projects/other/robots", "admin").get_json()
    assert still == other


def test_the_registrys_robots_are_made_for_the_projects_that_are_named(team: World) -> None:
    boss = visitor(team, "admin")
    there = "/admin/robots"
    made = boss.post(there, name="mirror", description="", duty="pull", days="", projects="team  other team")
    assert made.status_code == 200
    secret = secret_on(made.text)
    assert "robot$mirror" in see(made).text

    def may(project: str, action: str) -> bool:
        scope = f"repository:{project}/app:{action}"
        answer = team.client.get(f"/service/token?service=harbor-registry&scope={scope}", headers=basic("robot$mirror", secret))
        return granted_by(answer.get_json()["token"]).get(f"{project}/app") == [action]

    assert may("team", "pull")
    assert may("other", "pull")
    assert not may("team", "push")
    seen = boss.page(there)
    assert "team repository:pull" in seen.text
    assert "robot$team+" not in seen.text
    assert "robot$mirror" not in boss.page(THERE).text
    for projects in ("", "nowhere", " ".join(f"p{number}" for number in range(101))):
        assert boss.post(there, name="other", duty="pull", days="", projects=projects).status_code in (400, 404)
    (found,) = team.api("GET", "/robots", "admin").get_json()
    assert boss.post(f"{there}/{found['id']}", action="delete").headers["Location"] == there
    assert team.api("GET", "/robots", "admin").get_json() == []


def test_one_may_do_it_everywhere(team: World) -> None:
    boss = visitor(team, "admin")
    boss.post("/admin/robots", name="all", duty="push", days="30", projects="*")
    assert "* repository:push" in boss.page("/admin/robots").text


def test_a_projects_robot_is_not_changed_as_the_registrys_and_nobody_else_makes_those(team: World) -> None:
    boss = visitor(team, "projectAdmin")
    boss.post(THERE, name="ci", duty="push", days="30")
    (found,) = team.api("GET", "/projects/team/robots", "admin").get_json()
    assert visitor(team, "admin").post(f"/admin/robots/{found['id']}", action="delete").status_code == 404
    assert boss.get("/admin/robots").status_code == 403
    assert boss.post("/admin/robots", name="all", duty="push", days="30", projects="*").status_code == 403
