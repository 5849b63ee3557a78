"""Members that a document names, of a directory: they are asked for there before anything is written."""

from __future__ import annotations

from tests.support import slapd
from tests.support.console import runner
from tests.support.faultproxy import FaultProxy
from tests.support.world import World

DOCUMENT = """
projects:
  - name: web
    members:
      - {{user: {user}, role: developer}}
      - {{group: "{group}", role: maintainer}}
"""


def document(user: str = "alice", group: str = "admins") -> str:
    return DOCUMENT.format(user=user, group=slapd.group_dn(group))


def test_people_and_groups_may_be_new_here(connected: World) -> None:
    run = runner(connected)
    done = run("apply", "-", stdin=document())
    assert done.exit_code == 0, done.exception
    assert connected.granted("repository:web/a:pull,push", who="alice") == {"web/a": ["pull", "push"]}
    assert run("diff", "-", stdin=document()).exit_code == 0
    listed = connected.api("GET", "/projects/web/members", "admin").get_json()
    assert [(one["entity_name"], one["role_name"]) for one in listed] == [
        ("admin", "projectAdmin"),
        ("admins", "maintainer"),
        ("alice", "developer"),
    ]


def test_whom_the_directory_does_not_know_stops_all_of_it(connected: World) -> None:
    run = runner(connected)
    for text, said in (
        (document(user="nobody-at-all"), "member user nobody-at-all: user nobody-at-all not found"),
        (document(group="nothing"), "has no group"),
    ):
        done = run("apply", "-", stdin=text)
        assert said in str(done.exception)
        assert connected.api("GET", "/projects/web", "admin").status_code == 404
    assert not connected.api("GET", "/usergroups", "admin").get_json()


def test_a_silent_directory_is_said(world: World, proxied: FaultProxy) -> None:
    proxied.set("cut")
    done = runner(world)("apply", "-", stdin=document())
    assert "project web: member user alice: the directory default does not answer" in str(done.exception)
    assert world.api("GET", "/projects/web", "admin").status_code == 404
