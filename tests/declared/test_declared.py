"""Export, diff and apply: what one installation says, another one is made by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import func, select, update

from authsvc.artifacts import settling
from authsvc.audit.models import AuditLog
from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.declared import plan
from authsvc.users.models import User
from authsvc.wsgi import Front
from tests.declared.house import error, rows, write
from tests.support.console import Run, runner
from tests.support.world import World

DOCUMENT = """
configuration:
  self_registration: true
  robot_token_duration: 60
users:
  - {username: alice, email: alice@example.com, realname: Alice}
  - {username: bob, email: bob@example.com, sysadmin_flag: true}
labels:
  - {name: gold, color: "#FFD700", description: may go to production}
robots:
  - name: mirror
    duration: 90
    permissions:
      - {kind: project, namespace: web, access: [{resource: repository, action: pull}]}
      - {kind: system, namespace: /, access: [{resource: project, action: list}]}
projects:
  - name: web
    owner: alice
    metadata: {public: true, auto_scan: true}
    storage_limit: 10737418240
    members:
      - {user: bob, role: developer}
      - {group: builders, type: oidc, role: maintainer}
      - {group: "cn=ops,dc=example,dc=com", role: limitedGuest}
    labels:
      - {name: tested}
    robots:
      - name: ci
        duration: -1
        permissions:
          - {kind: project, namespace: web, access: [{resource: repository, action: push}]}
    immutable_tag_rules:
      - tag_selectors: [{decoration: matches, pattern: "v*"}]
        scope_selectors: {repository: [{decoration: repoMatches, pattern: "**"}]}
    retention:
      schedule: "0 0 2 * * *"
      rules:
        - template: latestPushedK
          params: {latestPushedK: 10}
          tag_selectors: [{decoration: matches, pattern: "**"}]
          scope_selectors: {repository: [{decoration: repoMatches, pattern: "**"}]}
    webhooks:
      - name: chat
        enabled: true
        event_types: [PUSH_ARTIFACT]
        targets: [{type: http, address: "https://chat.example.com/hook", auth_header: {env: CHAT_HEADER}}]
  - name: empty
"""


@pytest.fixture(autouse=True)
def header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_HEADER", "Bearer of bad news")


@pytest.fixture
def another(make_settings: Callable[..., Settings]) -> Iterator[World]:
    """Another installation."""
    made = World(Front(make_settings()))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


def test_all_of_it_is_made_and_said_and_made_again(world: World, run: Run, another: World, tmp_path: Path) -> None:
    file = write(tmp_path, DOCUMENT)
    done = run("diff", file)
    assert done.exit_code == 10
    assert "+ project web\n" in done.stdout
    assert "+ project web: member user bob" in done.stdout
    assert "Bearer" not in done.stdout
    done = run("apply", file)
    assert done.exit_code == 0, done.output + str(done.exception)
    shown = dict(line.rsplit(": ", 1) for line in done.stdout.splitlines())
    assert set(shown) == {"user alice", "user bob", "project web: robot ci", "robot mirror"}
    assert (run("diff", file).exit_code, run("diff", file).stdout) == (0, "")
    assert run("apply", file).stderr.endswith("0 changes\n")
    project = world.api("GET", "/projects/web", "admin").get_json()
    assert (project["owner_name"], project["metadata"]["public"], project["metadata"]["auto_scan"]) == ("alice", "true", "true")
    names = {one["entity_name"]: one["role_name"] for one in world.api("GET", "/projects/web/members", "admin").get_json()}
    assert names == {
        "alice": "projectAdmin",
        "bob": "developer",
        "builders": "maintainer",
        "cn=ops,dc=example,dc=com": "limitedGuest",
    }
    assert world.granted("repository:web/app:push,pull", who=None) == {"web/app": ["pull"]}
    said = run("export").stdout
    assert "Bearer" not in said
    assert yaml.safe_load(said)["projects"][1]["retention"]["schedule"] == "0 0 2 * * *"
    there = runner(another)
    done = there("apply", write(tmp_path, said, "exported.yml"))
    assert done.exit_code == 0, done.output + str(done.exception)
    assert there("export").stdout == said
    (empty,) = yaml.safe_load(run("export", "empty").stdout)["projects"]
    assert empty == {
        "name": "empty",
        "owner": "admin",
        "metadata": {"public": False},
        "storage_limit": -1,
        "members": [{"user": "admin", "role": "projectAdmin"}],
    }


def test_what_it_does_not_name_stays_unless_it_is_pruned(world: World, run: Run, tmp_path: Path) -> None:
    run("apply", write(tmp_path, DOCUMENT))
    world.user("carol")
    world.project("other", 1)
    run("members", "set", "web", "carol", "guest")
    world.api("POST", "/labels", "admin", json={"name": "odd", "scope": "g"})
    file = write(tmp_path, DOCUMENT)
    assert run("diff", file).exit_code == 0
    done = run("diff", file, "--prune")
    assert sorted(done.stdout.splitlines()) == [
        "- label odd",
        "- project web: member user alice",
        "- project web: member user carol",
    ]
    assert run("apply", file, "--prune").exit_code == 0
    assert run("diff", file, "--prune").exit_code == 0
    assert world.api("GET", "/projects/other", "admin").status_code == 200, "no project goes"
    assert world.api("GET", "/users/search?username=carol", "admin").get_json(), "nobody goes"
    assert {one["entity_name"] for one in world.api("GET", "/projects/web/members", "admin").get_json()} == {
        "bob",
        "builders",
        "cn=ops,dc=example,dc=com",
    }


CHANGED: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("configuration", lambda said: said["configuration"].update(self_registration=False), "self_registration: true -> false"),
    ("user", lambda said: said["users"][0].update(realname="Alice Doe"), "realname: Alice -> Alice Doe"),
    ("admin", lambda said: said["users"][1].update(sysadmin_flag=False), "sysadmin_flag: true -> false"),
    ("label", lambda said: said["labels"][0].update(color="#000"), "color: #FFD700 -> #000"),
    ("system robot", lambda said: said["robots"][0].update(disable=True), "disable: false -> true"),
    ("project", lambda said: said["projects"][0]["metadata"].update(public=False), "public: true -> false"),
    ("quota", lambda said: said["projects"][0].update(storage_limit=-1), "storage_limit: 10737418240 -> -1"),
    ("member", lambda said: said["projects"][0]["members"][0].update(role="guest"), "role: developer -> guest"),
    ("group", lambda said: said["projects"][0]["members"][1].update(role="guest"), "role: maintainer -> guest"),
    ("robot", lambda said: said["projects"][0]["robots"][0].update(duration=7), "duration: -1 -> 7"),
    ("rule", lambda said: said["projects"][0]["immutable_tag_rules"][0].update(disabled=True), "disabled: false -> true"),
    ("schedule", lambda said: said["projects"][0]["retention"].update(schedule=""), "schedule: 0 0 2 * * * -> nothing"),
    ("webhook", lambda said: said["projects"][0]["webhooks"][0].update(enabled=False), "enabled: true -> false"),
    (
        "secret",
        lambda said: said["projects"][0]["webhooks"][0]["targets"][0].update(auth_header="Bearer of good news"),
        "targets: ",
    ),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("changes")


def test_each_field_is_compared_and_changed(world: World, run: Run, made: Path) -> None:
    run("apply", write(made, DOCUMENT))
    for name, change, told in CHANGED:
        said = yaml.safe_load(DOCUMENT)
        change(said)
        file = write(made, said)
        done = run("diff", file)
        (line,) = done.stdout.splitlines()
        assert line.startswith("~ "), name
        assert told in line, (name, line)
        assert "news" not in line
        applied = run("apply", file)
        assert applied.exit_code == 0, (name, applied.output, applied.exception)
        assert applied.stdout == ""
        assert run("diff", file).exit_code == 0, (name, run("diff", file).stdout)
        assert run("apply", write(made, DOCUMENT)).exit_code == 0, name
    assert run("diff", write(made, DOCUMENT)).exit_code == 0


def test_who_is_there_is_the_same_however_he_is_written(world: World, run: Run, tmp_path: Path) -> None:
    run("apply", write(tmp_path, DOCUMENT))
    said = yaml.safe_load(DOCUMENT)
    said["users"][0]["username"] = "Alice"
    members = said["projects"][0]["members"]
    members[0]["user"] = "BOB"
    members[2]["group"] = "CN=ops, DC=example,DC=com"
    done = run("diff", write(tmp_path, said))
    assert (done.exit_code, done.stdout) == (0, ""), done.exception
    members[0]["role"] = members[2]["role"] = "guest"
    done = run("apply", write(tmp_path, said))
    assert done.exit_code == 0, done.exception
    assert [line.partition("  ")[0] for line in done.stderr.splitlines()[:-1]] == [
        "~ project web: member user bob",
        "~ project web: member group cn=ops,dc=example,dc=com",
    ]
    members.append({"user": "bob", "role": "guest"})
    assert "project web: member user bob stands twice" in error(run("diff", write(tmp_path, said)))


def test_an_address_that_is_taken_out_is_gone(world: World, run: Run, tmp_path: Path) -> None:
    run("apply", write(tmp_path, DOCUMENT))
    said = yaml.safe_load(DOCUMENT)
    del said["users"][0]["email"]
    file = write(tmp_path, said)
    assert "email: alice@example.com -> nothing" in run("diff", file).stdout
    assert run("apply", file).exit_code == 0
    assert run("diff", file).exit_code == 0


def test_who_goes_while_it_is_applied(world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made that was not made ready."""
    run("apply", write(tmp_path, DOCUMENT))
    said = yaml.safe_load(DOCUMENT)
    said["users"][0]["realname"] = "Alice Doe"
    said["labels"].append({"name": "silver"})
    planned = plan.changes

    def planned_and_gone(*given: Any, **how: Any) -> list[plan.Change]:
        monkeypatch.setattr(plan, "changes", planned)
        found = planned(*given, **how)
        db.session.execute(update(User).where(User.username == "alice").values(deleted=True, name_key="gone", username="gone"))
        db.session.commit()
        return found

    monkeypatch.setattr(plan, "changes", planned_and_gone)
    assert "user alice was there a moment ago, and is gone" in error(run("apply", write(tmp_path, said)))
    assert "silver" not in run("export").stdout


def test_all_or_nothing(world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is wrong at its end nothing is left, whatever came before."""
    said = yaml.safe_load(DOCUMENT)
    said["projects"][1]["members"] = [{"user": "nobody", "role": "guest"}]
    before = rows(world)
    monkeypatch.setattr(settling, "WAIT", 0)
    for _ in range(2):  # the second does not wait for what the first had held
        assert "project empty: member user nobody" in error(run("apply", write(tmp_path, said)))
    assert rows(world) == before
    with world.front.flask.app_context():
        assert not db.session.scalar(select(func.count()).select_from(AuditLog).where(AuditLog.resource == "web"))
        db.session.rollback()


@pytest.mark.once
def test_from_standard_input(world: World, run: Run) -> None:
    assert run("apply", "-", stdin="labels: [{name: a}]").exit_code == 0
    assert run("diff", "-", stdin='{"labels": [{"name": "a"}]}').exit_code == 0, "JSON is YAML"
