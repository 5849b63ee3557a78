"""A project that fills is told of once for each mark, and one that is full once in a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from authsvc.core.db import db, transaction, utcnow
from authsvc.projects.models import StorageUsage
from authsvc.quota.rules import mark
from authsvc.quota.service import SILENCE
from tests.gate.conftest import Site
from tests.gate.test_reads import ask
from tests.notification.conftest import policy, work
from tests.support.hook import Hook
from tests.support.registry import digest_of
from tests.support.world import basic


@pytest.mark.parametrize(
    ("used", "limit", "come_to"),
    [(84, 100, 0), (85, 100, 85), (849, 1000, 0), (94, 100, 85), (95, 100, 95), (99, 100, 95), (100, 100, 100), (101, 100, 100), (9**9, -1, 0), (0, 1, 0)],
)  # fmt: skip
def test_marks(used: int, limit: int, come_to: int) -> None:
    assert mark(used, limit) == come_to


def limit(site: Site, bytes_: int) -> None:
    body = {"hard": {"storage": bytes_}}
    assert site.world.api("PUT", f"/quotas/{site.project_id}", "admin", json=body).status_code == 200


def used(site: Site) -> int:
    return int(site.world.api("GET", f"/quotas/{site.project_id}", "admin").get_json()["used"]["storage"])


def told(site: Site, hooked: Hook) -> list[tuple[str, str, str, str]]:
    """Type, operator, place and sentence of each, since the last look."""
    work(site)
    said: list[dict[str, Any]] = [one.json for one in hooked.told]
    hooked.told.clear()
    return [
        (
            one["type"],
            one["operator"],
            one["event_data"]["repository"]["repo_full_name"],
            one["event_data"]["custom_attributes"]["Details"],
        )
        for one in said
    ]


def test_a_project_that_fills(watched: Site, hooked: Hook) -> None:
    site = watched
    policy(site, {"address": hooked.url}, events=("QUOTA_WARNING", "QUOTA_EXCEED"))
    image, second = site.manifest("one"), site.manifest("two")
    assert site.put("v1", image).status_code == 201
    size = used(site)
    assert site.put("v2", second).status_code == 201
    both = used(site)
    assert site.delete(digest_of(second)).status_code == 202
    limit(site, both)
    assert told(site, hooked) == [], "half of it"
    assert site.put("v2", second).status_code == 201
    full = f"quota usage reach 100%: resource storage used {both} B of {both} B"
    assert told(site, hooked) == [("QUOTA_WARNING", "developer", site.repository, full)]
    assert site.put("v3", second).status_code == 201
    assert told(site, hooked) == [], "nothing new"
    assert site.delete(digest_of(second)).status_code == 202
    limit(site, size * 100 // 95)
    nearly = f"quota usage reach 95%: resource storage used {size} B of {size * 100 // 95} B"
    assert told(site, hooked) == [("QUOTA_WARNING", "admin", site.project, nearly)]
    limit(site, size * 10)
    limit(site, size * 100 // 86)
    ((_, _, _, said),) = told(site, hooked)
    assert said.startswith("quota usage reach 85%"), "it held less in between"
    assert site.world.api("DELETE", f"/projects/{site.project}/repositories/app", "admin").status_code == 200
    limit(site, both)
    for tag, data in (("v1", site.manifest("one")), ("v2", site.manifest("two"))):
        assert site.put(tag, data).status_code == 201
    assert [said for *_, said in told(site, hooked)] == [full]


def test_what_does_not_fit(watched: Site, hooked: Hook) -> None:
    site = watched
    policy(site, {"address": hooked.url}, events=("QUOTA_EXCEED",))
    image = site.manifest()
    assert site.put("v1", image).status_code == 201
    size = used(site)
    limit(site, size)
    said = [site.put("v2", site.manifest("another")).get_json()["errors"][0]["message"] for _ in range(3)]
    ((type_, operator, place, sentence),) = told(site, hooked)
    assert (type_, operator, place) == ("QUOTA_EXCEED", "developer", site.repository)
    assert all(sentence in one for one in said)
    assert "will exceed the configured upper limit" in sentence
    quiet(site, SILENCE - timedelta(minutes=1))
    assert site.put("v2", site.manifest("another")).status_code == 403
    assert told(site, hooked) == [], "it was told a short while ago"
    limit(site, 1)
    quiet(site, SILENCE)
    refused = ask(site.world, "POST", f"/v2/{site.repository}/blobs/uploads/", basic("developer"))
    assert refused.status == 403
    site.world.front._gate._recorder.flush()
    assert [one[:3] for one in told(site, hooked)] == [("QUOTA_EXCEED", "developer", site.repository)]


def test_a_copy_that_does_not_fit(watched: Site, hooked: Hook) -> None:
    site = watched
    assert site.put("v1", site.manifest()).status_code == 201
    project = {"project_name": "small", "storage_limit": 1}
    assert site.world.api("POST", "/projects", "admin", json=project).status_code == 201
    policy(site, {"address": hooked.url}, events=("QUOTA_EXCEED",), project="small")
    copies = f"/projects/small/repositories/copies/artifacts?from={site.repository}:v1"
    assert site.world.api("POST", copies, "admin").status_code == 403
    assert [one[:3] for one in told(site, hooked)] == [("QUOTA_EXCEED", "admin", "small/copies")]


def test_nothing_is_told_while_quotas_are_switched_off(watched: Site, hooked: Hook) -> None:
    policy(watched, {"address": hooked.url}, events=("QUOTA_WARNING", "QUOTA_EXCEED"))
    switch = {"quota_per_project_enable": False}
    assert watched.world.api("PUT", "/configurations", "admin", json=switch).status_code == 200
    limit(watched, 1)
    assert watched.put("v1", watched.manifest()).status_code == 201
    assert told(watched, hooked) == []


def quiet(site: Site, since: timedelta) -> None:
    """It was told so long ago."""
    with site.world.front.flask.app_context(), transaction():
        db.session.execute(update(StorageUsage).values(exceeded_at=utcnow() - since))
