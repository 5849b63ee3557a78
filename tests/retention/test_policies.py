"""Retention policies by Harbor's API, and running them on a real registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.artifacts import intake, record, removal
from authsvc.core.db import db, transaction, utcnow
from authsvc.core.settings import Settings
from authsvc.jobs import schedules
from authsvc.jobs.runner import Runner
from authsvc.rbac.roles import Role
from authsvc.repositories import service as repositories
from authsvc.retention import tasks
from authsvc.wiring import JOBS
from authsvc.wsgi import Front
from tests.retention.test_rules import rule
from tests.support.registry import PlainRegistry
from tests.support.world import World


def policy(*rules: dict[str, Any], ref: int = 1, cron: str | None = None) -> dict[str, Any]:
    settings = {} if cron is None else {"cron": cron}
    return {
        "algorithm": "or",
        "rules": list(rules),
        "trigger": {"kind": "Schedule", "settings": settings, "references": {}},
        "scope": {"level": "project", "ref": ref},
    }


def create(world: World, *rules: dict[str, Any], who: str = "admin", **options: Any) -> str:
    response = world.api("POST", "/retentions", who, json=policy(*rules, **options))
    assert response.status_code == 201, response.text
    return response.headers["Location"].removeprefix("/api/v2.0")


@pytest.fixture
def web(world: World) -> World:
    world.project("web", 1)
    return world


def test_metadata_is_harbors(world: World) -> None:
    world.user("alice")
    said = world.api("GET", "/retentions/metadatas", "alice").get_json()
    assert [template["rule_template"] for template in said["templates"]] == [
        "latestPushedK", "latestPulledN", "nDaysSinceLastPush", "nDaysSinceLastPull", "always",
    ]  # fmt: skip
    assert said["templates"][0] == {
        "rule_template": "latestPushedK",
        "display_text": "the most recently pushed # artifacts",
        "action": "retain",
        "params": [{"type": "int", "unit": "COUNT", "required": True}],
    }
    assert said["templates"][4]["params"] == []
    assert said["tag_selectors"] == [{"display_text": "Tags", "kind": "doublestar", "decorations": ["matches", "excludes"]}]
    assert said["scope_selectors"][0]["decorations"] == ["repoMatches", "repoExcludes"]


def test_the_life_of_a_policy(web: World) -> None:
    path = create(
        web, rule("latestPushedK", "v*", params={"latestPushedK": 3}), rule(tags="x", disabled=True), cron="0 0 0 * * *"
    )
    policy_id = path.rpartition("/")[2]
    assert web.api("GET", "/projects/web", "admin").get_json()["metadata"]["retention_id"] == policy_id
    read = web.api("GET", path, "admin").get_json()
    assert read["scope"] == {"level": "project", "ref": 1}
    assert read["trigger"] == {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}}
    assert [one.get("id", 0) for one in read["rules"]] == [0, 1]
    assert read["rules"][0]["params"] == {"latestPushedK": 3}
    (schedule,) = web.api("GET", "/schedules", "admin").get_json()
    assert (schedule["vendor_type"], schedule["cron"]) == ("RETENTION", "0 0 0 * * *")
    assert (
        web.api(
            "PUT", path, "admin", json=read | {"rules": [], "trigger": {"kind": "Schedule", "settings": {"cron": ""}}}
        ).status_code
        == 200
    )
    assert web.api("GET", path, "admin").get_json()["rules"] == []
    assert web.api("GET", "/schedules", "admin").get_json() == []
    second = web.api("POST", "/retentions", "admin", json=policy())
    assert (second.status_code, f"project 1 already has retention policy {policy_id}" in second.text) == (400, True)
    assert web.api("DELETE", path, "admin").status_code == 200
    assert web.api("GET", path, "admin").status_code == 404
    assert "retention_id" not in web.api("GET", "/projects/web", "admin").get_json()["metadata"]
    create(web)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (policy(*(rule(tags=str(number)) for number in range(16))), 400),
        (policy(rule(), rule()), 409),
        (policy(rule("whatever")), 400),
        (policy(cron="0 0 * * *"), 400),
        (policy(cron="every day"), 400),
        (policy(ref=99), 400),
        (policy(ref=-1), 400),
        (policy() | {"scope": {"level": "system", "ref": 0}}, 400),
        (policy() | {"algorithm": "and"}, 422),
        ({}, 422),
    ],
)
def test_what_is_no_policy(web: World, body: dict[str, Any], status: int) -> None:
    response = web.api("POST", "/retentions", "admin", json=body)
    assert response.status_code == status, response.text


def test_the_project_is_the_rows_and_never_the_bodys(web: World) -> None:
    """T017: neither by the id nor by a scope in the body."""
    path = create(web, rule())
    web.project("mine", 1)
    web.user("eve")
    web.member("mine", "eve", Role.PROJECT_ADMIN)
    for method, where, body in (
        ("GET", path, None), ("PUT", path, policy(ref=2)), ("DELETE", path, None), ("POST", f"{path}/executions", {}),
        ("GET", f"{path}/executions", None), ("POST", "/retentions", policy(ref=1)), ("GET", "/retentions/99", None),
    ):  # fmt: skip
        assert web.api(method, where, "eve", json=body).status_code == 403, (method, where)
    own = create(web, who="eve", ref=2)
    assert web.api("PUT", own, "eve", json=policy(ref=1)).status_code == 404
    execution = web.api("POST", f"{path}/executions", "admin", json={"dry_run": True}).headers["Location"].rpartition("/")[2]
    assert web.api("GET", f"{own}/executions/{execution}/tasks", "eve").status_code == 404
    assert web.api("PATCH", f"{own}/executions/{execution}", "eve", json={"action": "stop"}).status_code == 404
    assert web.api("GET", path, "admin").get_json()["rules"] != []


class Shop:
    """`web` with two repositories in a real registry, and a worker that runs what is asked for."""

    def __init__(self, world: World, registry: PlainRegistry) -> None:
        self.world, self.registry = world, registry

    def push(self, repository: str, tag: str, content: str) -> str:
        digest = self.registry.image(f"web/{repository}", tag, content=content)
        with self.world.front.flask.app_context():
            fetched = intake.fetch(self.registry.client, f"web/{repository}", tag)
        assert fetched is not None
        with self.world.changes():
            intake.store(f"web/{repository}", fetched, tag, utcnow())
        return digest

    def tags(self, repository: str) -> set[str]:
        listed = self.world.api("GET", f"/projects/web/repositories/{repository}/artifacts", "admin").get_json()
        return {tag["name"] for one in listed for tag in one.get("tags", [])}

    def work(self) -> None:
        runner = Runner(JOBS, self.world.front.flask.config["TIDEGATE"], "test")
        with self.world.front.flask.app_context():
            while runner.run_next(self.registry.client):
                pass

    def run(self, path: str, *, dry_run: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
        """The execution, its tasks, and their logs."""
        started = self.world.api("POST", f"{path}/executions", "admin", json={"dry_run": dry_run})
        assert started.status_code == 201, started.text
        self.work()
        where = started.headers["Location"].removeprefix("/api/v2.0")
        execution = self.world.api("GET", f"{path}/executions", "admin").get_json()[0]
        listed = self.world.api("GET", f"{where}/tasks", "admin").get_json()
        logs = [self.world.api("GET", f"{where}/tasks/{task['id']}", "admin").text for task in listed]
        return execution, listed, "".join(logs)


@pytest.fixture
def shop(make_settings: Callable[..., Settings], registry: PlainRegistry) -> Iterator[Shop]:
    world = World(Front(make_settings(registry_address=registry.url.removeprefix("http://"))))
    world.user("admin", sysadmin=True)
    world.project("web", 1)
    made = Shop(world, registry)
    for repository, tag in (("app", "v1"), ("app", "v2"), ("app", "v3"), ("app", "dev"), ("tools", "v1")):
        made.push(repository, tag, f"{repository} {tag}")
    yield made
    world.close()


NEWEST_TWO = rule("latestPushedK", "v*", "app", params={"latestPushedK": 2})


def test_a_run_deletes_what_no_rule_keeps(shop: Shop) -> None:
    path = create(shop.world, NEWEST_TWO)
    execution, (task,), log = shop.run(path, dry_run=True)
    assert (execution["status"], execution["trigger"], execution["dry_run"]) == ("Success", "MANUAL", True)
    assert (task["repository"], task["total"], task["retained"], task["status"], task["status_code"]) == (
        "app",
        4,
        2,
        "Success",
        3,
    )
    assert log.count("WOULD DELETE") == 2
    assert "KEEP" in log and "rule 0 (the most recently pushed 2 artifacts)" in log
    assert shop.tags("app") == {"v1", "v2", "v3", "dev"}
    execution, (task,), log = shop.run(path)
    assert (execution["status"], execution.get("dry_run", False), task["retained"]) == ("Success", False, 2)
    assert shop.tags("app") == {"v2", "v3"}
    assert shop.tags("tools") == {"v1"}, "no rule looks at it"
    left = set(shop.registry.client.tags("web/app") or [])
    assert left & {"v1", "v2", "v3", "dev"} == {"v2", "v3"}  # other tests have tags there, too
    noted = shop.world.api("GET", "/projects/web/auditlog-exts?q=operation=delete", "admin").get_json()
    assert {entry["username"] for entry in noted if entry["resource_type"] == "artifact"} == {tasks.ACTOR}


def test_immutable_tags_and_what_shares_their_artifact_stay(shop: Shop) -> None:
    shop.push("app", "release", "app v1")
    body = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "release"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }
    assert shop.world.api("POST", "/projects/web/immutabletagrules", "admin", json=body).status_code == 201
    _, _, log = shop.run(
        create(
            shop.world,
            rule(
                "always", "nothing", "app", tag_selectors=[{"kind": "doublestar", "decoration": "matches", "pattern": "nothing"}]
            ),
        )
    )
    assert shop.tags("app") == {"v1", "release"}
    assert "tag release is immutable" in log


def test_what_is_tagged_while_it_is_decided_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = create(shop.world, NEWEST_TWO)
    held = removal.delete_artifact

    def tag_first(actor: str, client: Any, name: str, digest: str, allow: Any) -> None:
        with transaction():
            repository = repositories.lock(name)
            assert repository is not None
            artifact = record.find(repository, digest)
            assert artifact is not None
            record.tag(repository, f"late-{digest[7:12]}", artifact, utcnow())
        held(actor, client, name, digest, allow)

    monkeypatch.setattr(removal, "delete_artifact", tag_first)
    _, (task,), log = shop.run(path)
    assert task["retained"] == 4
    assert log.count("it was tagged or pulled meanwhile") == 2
    assert shop.tags("app") > {"v1", "v2", "v3", "dev"}


def test_a_schedule_starts_it_and_a_stop_ends_it(shop: Shop) -> None:
    path = create(shop.world, NEWEST_TWO, cron="0 0 3 * * *")
    with shop.world.changes():
        schedule = schedules.find("RETENTION", int(path.rpartition("/")[2]))
        assert schedule is not None
        start = JOBS["RETENTION"].start
        assert start is not None
        start(schedule.vendor_id, {})
    (execution,) = shop.world.api("GET", f"{path}/executions", "admin").get_json()
    assert (execution["status"], execution["trigger"]) == ("Pending", "SCHEDULE")
    where = f"{path}/executions/{execution['id']}"
    assert shop.world.api("PATCH", where, "admin", json={"action": "go"}).status_code == 400
    assert shop.world.api("PATCH", where, "admin", json={"action": "stop"}).status_code == 200
    shop.work()
    assert shop.world.api("GET", f"{path}/executions", "admin").get_json()[0]["status"] == "Stopped"
    assert shop.tags("app") == {"v1", "v2", "v3", "dev"}


def test_a_project_goes_with_its_policy(web: World) -> None:
    path = create(web, rule(), cron="0 0 0 * * *")
    web.api("POST", f"{path}/executions", "admin", json={})
    assert web.api("DELETE", "/projects/web", "admin").status_code == 200
    assert web.api("GET", path, "admin").status_code == 404
    assert web.api("GET", "/schedules", "admin").get_json() == []
    with web.front.flask.app_context():
        assert db.session.execute(db.text("SELECT COUNT(*) FROM executions")).scalar() == 0
        db.session.rollback()
