"""One bad thing stops nothing: what cannot be recorded is a state of that one tag, and whatever goes wrong with one repository or
write, the others are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from authsvc.artifacts import journal, reconcile, record, settling
from authsvc.artifacts.models import Damage, Intent
from authsvc.core.db import present, transaction
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.manifest import OCI_MANIFEST
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry
from tests.webhook.test_recorder import Recorder

# Where a manifest has texts of its own.
PLACES: list[dict[str, Any]] = [
    {"artifactType": "{}"},
    {"annotations": {"k": "{}"}},
    {"annotations": {"{}": "v"}},
    {"config": {"mediaType": "{}"}},
    {"layers": {"mediaType": "{}"}},
    {"layers": {"annotations": {"k": "{}"}}},
    {"subject": {"mediaType": "{}"}},
]
UNSTORABLE = {"half of a surrogate pair": "\ud800", "NUL": "a\0b"}


def spoiled(registry: PlainRegistry, repository: str, place: dict[str, Any], text: str) -> dict[str, Any]:
    """A manifest with a text in one place."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key.replace("{}", text): filled(inner) for key, inner in value.items()}
        return value.replace("{}", text)

    config = registry.blob(repository, b"{}", CONFIG_TYPE)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config,
        "layers": [registry.blob(repository, b"layer", LAYER_TYPE)],
    }
    ((field, value),) = filled(place).items()
    match field:
        case "layers":
            return manifest | {"layers": [manifest["layers"][0] | value]}
        case "config" | "subject":
            return manifest | {field: config | value}
    return manifest | {field: value}


@pytest.mark.parametrize("text", UNSTORABLE.values(), ids=UNSTORABLE)
def test_texts_that_no_database_holds(index: Recorder, text: str) -> None:
    registry, repository = index.registry, index.repository
    for number, place in enumerate(PLACES):
        registry.put(repository, f"bad-{number}", spoiled(registry, repository, place, text))
    good = registry.image("web/zz-behind", "v1")
    with index.app.app_context():
        report = reconcile.run(registry.client)
    assert report.problems == []
    assert len(report.damaged) == len(PLACES)
    assert all("in one of its texts" in one for one in report.damaged)
    index.repository = "web/zz-behind"
    assert index.tags() == {"v1": good}


def test_a_config_with_such_a_text_says_nothing(index: Recorder) -> None:
    registry, repository = index.registry, index.repository
    config = registry.blob(repository, rb'{"architecture": "\ud800", "os": "a\u0000b"}', CONFIG_TYPE)
    digest = registry.put(repository, "v1", {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []})
    index.deliver(index.event("push", digest, "v1"))
    assert index.tags() == {"v1": digest}


def test_a_repository_that_nobody_thought_of_stops_no_other(index: Recorder) -> None:
    first, last = "web/aa", "web/zz"
    digests = {name: index.registry.image(name, "v1", content=name) for name in (first, last)}

    class Fails(RegistryClient):
        def tags(self, repository: str) -> list[str] | None:
            if repository == first:
                raise ZeroDivisionError
            return super().tags(repository)

    with index.app.app_context(), capture_logs():
        report = reconcile.run(Fails(index.registry.url, lambda _: ""))
    assert report.partial
    assert report.problems == [f"{first}: ZeroDivisionError"]
    index.repository = last
    assert index.tags() == {"v1": digests[last]}


def test_a_write_that_cannot_be_recorded_holds_its_tag_no_longer(index: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown, the writes behind it are settled, and pushing the tag again mends it."""
    registry, repository = index.registry, index.repository
    digests = {tag: registry.image(repository, tag, content=tag) for tag in ("bad", "good")}
    writes = [replace(index.write(tag), method="PUT", digest=digest) for tag, digest in digests.items()]
    with index.app.app_context(), transaction():
        for write in writes:
            journal.begin(write).until = present() - journal.LEASE
    recorded = record.artifact

    def fails(repository: Any, manifest: Any, *rest: Any) -> Any:
        if manifest.digest == digests["bad"]:
            raise ZeroDivisionError
        return recorded(repository, manifest, *rest)

    monkeypatch.setattr(record, "artifact", fails)
    with index.app.app_context(), capture_logs() as logs:
        assert settling.settle_due(registry.client) == 2
    assert [entry["reference"] for entry in logs if entry["event"] == "intent_not_recorded"] == ["bad"]
    assert index.all(select(Intent)) == []
    assert index.tags() == {"good": digests["good"]}
    why = "it cannot be recorded (ZeroDivisionError): see the log"
    assert dict(index.all(select(Damage.reference, Damage.reason))) == {"bad": why, digests["bad"]: why}
    with index.app.app_context(), capture_logs():
        report = reconcile.run(registry.client)
    assert (report.recorded, report.damaged) == (0, [f"{repository}:bad: {why}"])
    assert dict(index.all(select(Damage.reference, Damage.reason)))["bad"] == why
    monkeypatch.setattr(record, "artifact", recorded)
    with index.app.app_context():
        assert reconcile.run(registry.client).damaged == []
    assert index.all(select(Damage.reference)) == []
    assert index.tags() == digests
