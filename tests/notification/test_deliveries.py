"""What happens is told: once for each event and target, in order, again while nobody is there, and to nobody inside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from authsvc.core.settings import Settings
from authsvc.jobs import queue
from authsvc.notification import tasks
from authsvc.wsgi import Front
from tests.gate.conftest import Site
from tests.notification.conftest import due, executions, policy, work
from tests.support.hook import Hook, hook
from tests.support.registry import PlainRegistry, digest_of
from tests.support.world import World


def test_a_push_and_a_deletion_are_told(watched: Site, hooked: Hook) -> None:
    path = policy(watched, {"address": f"{hooked.url}/a", "auth_header": "Bearer of good news"})
    image = watched.manifest()
    assert watched.put("v1", image).status_code == 201
    assert watched.delete(digest_of(image)).status_code == 202
    assert work(watched) == 2
    pushed, deleted = hooked.told
    assert (pushed.path, pushed.headers["authorization"], pushed.headers["content-type"]) == (
        "/a",
        "Bearer of good news",
        "application/json",
    )
    host = watched.world.front.flask.config["TIDEGATE"].registry_host
    said = pushed.json
    assert (said["type"], said["operator"]) == ("PUSH_ARTIFACT", "developer")
    assert said["event_data"]["resources"] == [
        {"digest": digest_of(image), "tag": "v1", "resource_url": f"{host}/{watched.repository}:v1"}
    ]
    repository = said["event_data"]["repository"]
    assert abs(said["occur_at"] - repository.pop("date_created")) < 60
    assert repository == {
        "name": "app",
        "namespace": watched.project,
        "repo_full_name": watched.repository,
        "repo_type": "private",
    }
    (gone,) = deleted.json["event_data"]["resources"]
    assert (deleted.json["type"], gone["digest"], gone["tag"]) == ("DELETE_ARTIFACT", digest_of(image), digest_of(image))
    assert gone["resource_url"] == f"{host}/{watched.repository}@{digest_of(image)}"
    assert [one["status"] for one in executions(watched, path)] == ["Success", "Success"]
    (execution, _) = executions(watched, path)
    assert execution["extra_attrs"]["event_type"] == "DELETE_ARTIFACT"
    (task,) = watched.world.api("GET", f"{path}/executions/{execution['id']}/tasks", "admin").get_json()
    log = watched.world.api("GET", f"{path}/executions/{execution['id']}/tasks/{task['id']}/log", "admin").text
    assert f"POST {hooked.url}/a" in log
    assert "answered 200" in log
    assert "good news" not in log


def test_nobody_is_told_who_did_not_want_to(watched: Site, hooked: Hook) -> None:
    path = policy(watched, {"address": hooked.url}, events=("PULL_ARTIFACT",))
    assert watched.put("v1", watched.manifest()).status_code == 201
    body = watched.world.api("GET", path, "admin").get_json() | {"event_types": ["PUSH_ARTIFACT"], "enabled": False}
    assert watched.world.api("PUT", path, "admin", json=body).status_code == 200
    assert watched.put("v2", watched.manifest("2")).status_code == 201
    assert watched.world.api("PUT", path, "admin", json=body | {"enabled": True}).status_code == 200
    assert watched.world.api("PUT", "/configurations", "admin", json={"notification_enable": False}).status_code == 200
    assert watched.put("v3", watched.manifest("3")).status_code == 201
    assert (work(watched), hooked.told) == (0, [])


def test_what_is_refused_is_not_told(watched: Site, hooked: Hook) -> None:
    policy(watched, {"address": hooked.url})
    assert watched.put("v1", watched.manifest().replace(b"sha256:", b"sha256:0")).status_code >= 400
    assert work(watched) == 0


def test_each_target_hears_of_all_in_order_whoever_else_does_not(watched: Site, hooked: Hook) -> None:
    """Whoever is away for a while holds up nobody but himself, and misses nothing."""
    with hook() as ailing:
        path = policy(watched, {"address": ailing.url}, {"address": hooked.url})
        ailing.status = 503
        for number in range(3):
            assert watched.put(f"v{number}", watched.manifest(str(number))).status_code == 201
        assert work(watched) == 4
        tags = ["v0", "v1", "v2"]
        assert [one.json["event_data"]["resources"][0]["tag"] for one in hooked.told] == tags
        assert len(ailing.told) == 1, "the second waits for the first"
        ailing.status = 200
        assert work(watched) == 0, "not yet"
        due(watched)
        assert work(watched) == 3
        assert [one.json["event_data"]["resources"][0]["tag"] for one in ailing.told] == ["v0", *tags]
        assert ailing.told[0].headers["webhook-id"] == ailing.told[1].headers["webhook-id"], "the same, once more"
        assert len({one.headers["webhook-id"] for one in ailing.told}) == 3
    assert {one["status"] for one in executions(watched, path)} == {"Success"}


def test_what_nobody_takes_is_told_again_when_somebody_asks(watched: Site, hooked: Hook) -> None:
    path = policy(watched, {"address": hooked.url})
    hooked.status = 400
    assert watched.put("v1", watched.manifest()).status_code == 201
    for _ in range(tasks.ATTEMPTS):
        work(watched)
        due(watched)
    (failed,) = executions(watched, path)
    assert (failed["status"], len(hooked.told)) == ("Error", 3)
    assert f"{hooked.url} answered 400" in failed["status_message"]
    hooked.status = 200
    again = watched.world.api("POST", f"{path}/executions/{failed['id']}/redeliver", "admin")
    assert again.status_code == 201, again.text
    assert work(watched) == 1
    assert hooked.told[-1].json == hooked.told[0].json
    assert watched.world.api("GET", again.headers["Location"].removeprefix("/api/v2.0") + "/tasks", "admin").status_code == 200
    assert [one["trigger"] for one in executions(watched, path)] == ["MANUAL", "EVENT"]


def test_how_long_it_is_tried() -> None:
    """As docs/webhooks.md says."""
    pauses = sum((queue.pause(runs) for runs in range(1, tasks.ATTEMPTS)), timedelta())
    assert timedelta(hours=4) < pauses < timedelta(hours=4.5)


def test_an_address_that_is_a_secret_stands_in_no_log(watched: Site, hooked: Hook) -> None:
    """Whoever knows the address of a chat can write there."""
    addresses = dict.fromkeys(("slack", "wecom"), f"{hooked.url}/canary?key=canary")
    path = policy(watched, *({"type": type_, "address": address} for type_, address in addresses.items()))
    with hook() as gone:
        away = policy(watched, {"type": "slack", "address": f"{gone.url}/canary"}, name="away")
    hooked.status = 400
    assert watched.put("v1", watched.manifest()).status_code == 201
    for _ in range(tasks.ATTEMPTS):
        work(watched)
        due(watched)
    for policy_path in (path, away):
        (execution,) = executions(watched, policy_path)
        here = f"{policy_path}/executions/{execution['id']}/tasks"
        listed = watched.world.api("GET", here, "admin")
        logs = [watched.world.api("GET", f"{here}/{task['id']}/log", "admin").text for task in listed.get_json()]
        assert "127.0.0.1" in execution["status_message"]
        assert all("127.0.0.1" in log for log in logs)
        assert "canary" not in f"{execution}{listed.text}{logs}"


def test_a_policy_is_tried(watched: Site, hooked: Hook) -> None:
    path = policy(watched, {"address": hooked.url}, events=("DELETE_ARTIFACT",))
    assert watched.world.api("POST", f"{path}/test", "developer").status_code == 403
    assert watched.world.api("POST", f"{path}/test", "admin").status_code == 201
    assert work(watched) == 1
    said = hooked.told[0].json
    assert (said["type"], said["event_data"]["resources"][0]["tag"]) == ("DELETE_ARTIFACT", "test")


def test_the_deliveries_of_another_policy_are_not_told_again(watched: Site, hooked: Hook) -> None:
    path = policy(watched, {"address": hooked.url})
    assert watched.world.api("POST", f"{path}/test", "admin").status_code == 201
    (execution,) = executions(watched, path)
    body = {"name": "other", "event_types": ["PUSH_ARTIFACT"], "targets": [{"type": "http", "address": hooked.url}]}
    other = watched.world.api("POST", path.rpartition("/")[0], "admin", json=body).headers["Location"].removeprefix("/api/v2.0")
    assert watched.world.api("POST", f"{other}/executions/{execution['id']}/redeliver", "admin").status_code == 404


def test_a_target_that_is_gone_holds_up_nothing(watched: Site, hooked: Hook) -> None:
    path = policy(watched, {"address": hooked.url}, {"address": f"{hooked.url}/second"})
    assert watched.put("v1", watched.manifest()).status_code == 201
    body = watched.world.api("GET", path, "admin").get_json()
    assert watched.world.api("PUT", path, "admin", json=body | {"targets": body["targets"][:1]}).status_code == 200
    assert work(watched) == 2
    assert [one.path for one in hooked.told] == ["/"]


def test_nobody_inside_is_told(make_settings: Callable[..., Settings], registry: PlainRegistry, hooked: Hook) -> None:
    """An address that was allowed once, and is no more: the connection is refused, not the answer."""
    settings = make_settings(registry_address=registry.url.removeprefix("http://"), outgoing_allow=("127.0.0.0/8",))
    world = World(Front(settings))
    world.user("admin", sysadmin=True)
    site = Site(world, registry)
    path = policy(site, {"address": hooked.url})
    object.__setattr__(settings, "outgoing_allow", ())
    assert site.put("v1", site.manifest()).status_code == 201
    assert work(site) == 1
    (failed,) = executions(site, path)
    assert (failed["status"], hooked.told) == ("Error", [])
    assert "may not go to" in failed["status_message"]
    world.close()
