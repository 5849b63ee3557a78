"""Accessories by Harbor's API: their shape, `with_accessory`, and who they are shown to (in `operations`)."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.artifacts import intake
from authsvc.core.db import utcnow
from authsvc.distribution.manifest import OCI_MANIFEST
from tests.support.registry import PlainRegistry
from tests.support.world import World

PATH = "/projects/web/repositories/app/artifacts"


@pytest.fixture
def digests(world: World, registry: PlainRegistry) -> tuple[str, str]:
    """A subject, tagged `v1`, and its signature."""
    world.project("web", 1)
    subject = registry.image("web/app", "v1", content="subject")
    config = registry.blob("web/app", b"{}", "application/vnd.cncf.notary.signature")
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    signature = registry.put("web/app", None, body | {"subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}})
    for digest, tag in ((subject, "v1"), (signature, None)):
        with world.front.flask.app_context():
            fetched = intake.fetch(registry.client, "web/app", digest)
        assert fetched is not None
        with world.changes():
            intake.store("web/app", fetched, tag, utcnow())
    return subject, signature


def test_an_accessory(world: World, digests: tuple[str, str]) -> None:
    subject, signature = digests
    answer = world.api("GET", f"{PATH}/v1/accessories", "admin")
    assert (answer.status_code, answer.headers["X-Total-Count"]) == (200, "1")
    (found,) = answer.get_json()
    ids = {row["digest"]: row["id"] for row in world.api("GET", f"{PATH}?q=base=*", "admin").get_json()}
    assert found.pop("creation_time").endswith("Z")
    assert found.pop("id")
    assert found.pop("icon").startswith("sha256:")
    assert found.pop("size") > 200
    assert found == {
        "artifact_id": ids[signature],
        "subject_artifact_id": ids[subject],
        "subject_artifact_digest": subject,
        "subject_artifact_repo": "web/app",
        "digest": signature,
        "type": "signature.notation",
    }
    assert world.api("GET", f"{PATH}/{signature}/accessories", "admin").get_json() == []
    assert world.api("GET", f"{PATH}/v9/accessories", "admin").status_code == 404


def test_they_are_filtered_sorted_and_paged(world: World, digests: tuple[str, str]) -> None:
    def listed(query: str) -> Any:
        return world.api("GET", f"{PATH}/v1/accessories?{query}", "admin").get_json()

    assert len(listed("q=type=signature.notation&sort=-size")) == 1
    assert listed("q=type=sbom.harbor") == []
    assert listed("page=2") == []


def test_with_accessory(world: World, digests: tuple[str, str]) -> None:
    subject, signature = digests
    (plain,) = world.api("GET", PATH, "admin").get_json()
    assert (plain["digest"], "accessories" in plain) == (subject, False)
    (found,) = world.api("GET", f"{PATH}?with_accessory=true", "admin").get_json()
    assert [one["digest"] for one in found["accessories"]] == [signature]
    one = world.api("GET", f"{PATH}/v1?with_accessory=true", "admin").get_json()
    assert one["accessories"] == found["accessories"]
    everything = world.api("GET", f"{PATH}?q=base=*&with_accessory=true", "admin").get_json()
    assert {row["digest"]: len(row.get("accessories", [])) for row in everything} == {subject: 1, signature: 0}
