"""What retention deletes is told, a repository at a time, once it is done."""

from __future__ import annotations

from authsvc.retention.tasks import ACTOR
from tests.gate.conftest import Site
from tests.notification.conftest import policy, work
from tests.retention.test_policies import create
from tests.retention.test_rules import rule
from tests.support.hook import Hook
from tests.support.registry import digest_of


def test_what_retention_deletes(watched: Site, hooked: Hook) -> None:
    site = watched
    policy(site, {"address": hooked.url}, {"type": "slack", "address": f"{hooked.url}/slack"}, events=("TAG_RETENTION",))
    images = {tag: site.manifest(tag) for tag in ("v1", "v2", "v3")}
    for tag, data in images.items():
        assert site.put(tag, data).status_code == 201
    newest = rule("latestPushedK", "**", "**", params={"latestPushedK": 1})
    path = create(site.world, newest, ref=site.project_id)
    for body in ({"dry_run": True}, {}, {}):
        assert site.world.api("POST", f"{path}/executions", "admin", json=body).status_code == 201
        work(site)
    told, chat = hooked.told
    if told.path == "/slack":
        told, chat = chat, told
    said = told.json
    retention = said["event_data"]["retention"]
    (kept,) = retention.pop("retention_rules")
    assert (said["type"], said["operator"], kept["template"]) == ("TAG_RETENTION", ACTOR, "latestPushedK")
    host = site.world.front.flask.config["TIDEGATE"].registry_host
    assert retention == {
        "total": 3,
        "retained": 1,
        "harbor_hostname": host,
        "project_name": site.project,
        "retention_policy_id": int(path.rpartition("/")[2]),
        "result": "SUCCESS",
        "deleted_artifact": [
            {"type": "image", "status": "SUCCESS", "name_tag": f"{site.repository}:{tag}"} for tag in ("v1", "v2")
        ],
    }
    resources = said["event_data"]["resources"]
    assert [one["digest"] for one in resources] == [digest_of(images[tag]) for tag in ("v1", "v2")]
    for line in ("1 of 3 artifacts stay", f"deleted {site.repository}:v1"):
        assert line in chat.body.decode()
