"""What is pushed and deleted here goes on at once, where a policy says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replication.conftest import Pair
from tests.replication.test_copying import TAG_V, attached, named
from tests.support.hook import hook
from tests.support.world import basic

AT_ONCE: dict[str, Any] = {"trigger": {"type": "event_based"}, "replicate_deletion": True}


def executions(pair: Pair) -> list[dict[str, Any]]:
    return list(pair.world.api("GET", "/replication/executions?page_size=0", "admin").get_json())


def delete(pair: Pair, reference: str) -> None:
    path = f"/v2/{pair.repository}/manifests/{reference}"
    assert pair.world.client.delete(path, headers=basic("admin")).status_code == 202


def test_a_push_goes_on_and_nothing_else_does(pair: Pair) -> None:
    before = pair.push(pair.here, pair.repository, "v0", "before")
    pair.policy(filters=named(pair, TAG_V), **AT_ONCE)
    pair.policy(filters=named(pair, TAG_V), **AT_ONCE, enabled=False, dest_namespace="nowhere")
    v1 = pair.push(pair.here, pair.repository, "v1", "one")
    pair.push(pair.here, pair.repository, "test", "two")
    pair.work()
    pair.push(pair.here, pair.repository, "v1", "one")
    pair.work()
    assert pair.far_tags(pair.repository) == {"v1": v1}
    assert pair.far.client.digest_of(pair.repository, before) is None
    said = executions(pair)
    assert [(one["trigger"], one["status"], one["total"]) for one in said] == [
        ("event_based", "Succeed", 0),
        ("event_based", "Succeed", 1),
    ], "the second push was of what is there"


def test_what_is_attached_later_goes_on_to_its_subject(pair: Pair) -> None:
    pair.policy(filters=named(pair, TAG_V), **AT_ONCE)
    v1 = pair.push(pair.here, pair.repository, "v1", "one")
    pair.work()
    signature = pair.put(pair.repository, *[attached(pair.here, pair.repository, v1)] * 2)
    pair.work()
    assert pair.far.client.digest_of(pair.repository, signature) == signature
    assert {"v1": v1}.items() <= pair.far_tags(pair.repository).items()


@pytest.mark.parametrize("tagged_there", ["", "kept"])
def test_a_deletion_goes_on(pair: Pair, tagged_there: str) -> None:
    """A tag by itself; an artifact unless it is there under a tag that is none of the policy's."""
    pair.policy(filters=named(pair, TAG_V), **AT_ONCE)
    v1 = pair.push(pair.here, pair.repository, "v1", "one")
    pair.put(pair.repository, "v2", v1)
    pair.work()
    if tagged_there:
        pair.far.image(pair.repository, tagged_there, content="one")
    delete(pair, "v2")
    pair.work()
    kept = {tagged_there: v1} if tagged_there else {}
    assert pair.far_tags(pair.repository) == {"v1": v1, **kept}
    delete(pair, v1)
    pair.work()
    newest = executions(pair)[0]
    if tagged_there:
        assert (newest["status"], "since it is tagged kept there" in newest["status_text"]) == ("Failed", True)
        assert pair.far_tags(pair.repository) == {"v1": v1, **kept}
    else:
        assert (newest["status"], newest["status_text"][:20]) == ("Succeed", "1 of 1 deletions mad")
        assert pair.far.client.digest_of(pair.repository, v1) is None


def test_deletions_stay_here_unless_they_are_wanted(pair: Pair) -> None:
    pair.policy(**AT_ONCE | {"replicate_deletion": False})
    v1 = pair.push(pair.here, pair.repository, "v1", "one")
    pair.work()
    delete(pair, v1)
    pair.work()
    assert pair.far_tags(pair.repository) == {"v1": v1}


def test_what_was_pushed_is_not_skipped_for_one_that_runs(pair: Pair) -> None:
    policy = pair.policy(**AT_ONCE, single_active_replication=True)
    v1 = pair.push(pair.here, pair.repository, "v1", "one")
    v2 = pair.push(pair.here, pair.repository, "v2", "two")
    skipped = pair.execution(pair.start(policy))
    assert (skipped["status"], skipped["status_text"]) == ("Stopped", "skipped: the one before has not ended")
    pair.work()
    assert pair.far_tags(pair.repository) == {"v1": v1, "v2": v2}


def test_who_listens_to_the_project_is_told(pair: Pair) -> None:
    """As Harbor tells it, of what went well and what did not."""
    with hook() as told:
        targets = [{"type": "http", "address": told.url}, {"type": "slack", "address": f"{told.url}/slack"}]
        body = {"name": "chat", "enabled": True, "event_types": ["REPLICATION"], "targets": targets}
        made = pair.world.api("POST", f"/projects/{pair.project}/webhook/policies", "admin", json=body)
        assert made.status_code == 201, made.text
        v1 = pair.push(pair.here, pair.repository, "v1", "one")
        pair.run(pair.policy(description="nightly"))
        payloads = [one.json for one in told.told]
    ((said,), (text,)) = ([one for one in payloads if "event_data" in one], [one for one in payloads if "text" in one])
    assert (said["type"], said["operator"]) == ("REPLICATION", "tidegate:replication")
    replication = said["event_data"]["replication"]
    assert replication["successful_artifact"] == [{"type": "image", "status": "Success", "name_tag": f"{pair.repository}:v1"}]
    assert (replication["failed_artifact"], replication["job_status"]) == ([], "Success")
    assert (replication["trigger_type"], replication["description"], replication["policy_creator"]) == (
        "MANUAL",
        "nightly",
        "admin",
    )
    assert replication["src_resource"]["registry_name"] == "Local"
    assert replication["dest_resource"] == {
        "registry_name": "far",
        "registry_type": "docker-registry",
        "endpoint": pair.far.url,
        "provider": "docker-registry",
        "namespace": pair.project,
    }
    assert said["event_data"]["resources"][0]["digest"] == v1
    assert f"to far: Success\nsuccess {pair.repository}:v1" in text["text"]
