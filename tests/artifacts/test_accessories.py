"""What is attached to an artifact: recorded in any order, hidden from lists, told of on demand, and deleted with its subject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from authsvc.artifacts import accessories, removal, rules, service
from authsvc.artifacts.models import Accessory, Artifact
from authsvc.core.db import db
from authsvc.core.errors import PreconditionFailed
from authsvc.core.settings import Settings
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from authsvc.repositories import service as repositories
from authsvc.repositories.models import Repository
from tests.support.registry import CONFIG_TYPE, PlainRegistry
from tests.webhook.test_recorder import Recorder

NOTATION = "application/vnd.cncf.notary.signature"


class Index(Recorder):
    """A recorder, with shorthands for what is attached."""

    def push(self, tag: str | None = None, content: str = "x") -> str:
        digest = self.registry.image(self.repository, tag, content=self.repository + content)
        self.deliver(self.event("push", digest, tag or ""))
        return digest

    def attach(self, subject: str, artifact_type: str = "application/x", *, deliver: bool = True, **changes: Any) -> str:
        """Push a manifest that has a subject; the size of the subject is nobody's business here."""
        config = self.registry.blob(self.repository, b"{}", "application/vnd.oci.empty.v1+json")
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type, "config": config, "layers": []}
        body["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
        digest = self.registry.put(self.repository, None, body | changes)
        if deliver:
            self.deliver(self.event("push", digest))
        return digest

    def sign_by_tag(self, subject: str, layer_type: str = rules.SIMPLE_SIGNING) -> str:
        """As cosign does it: a tag says what is signed, and nothing in the manifest."""
        tag = f"{rules.fallback_tag(subject)}.sig"
        config = self.registry.blob(self.repository, b'{"signs":1}', CONFIG_TYPE)
        layer = self.registry.blob(self.repository, subject.encode(), layer_type)
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
        digest = self.registry.put(self.repository, tag, body)
        self.deliver(self.event("push", digest, tag))
        return digest

    def attached(self) -> dict[str, tuple[str, str]]:
        """Digest -> subject and type."""
        statement = select(Artifact.digest, Accessory.subject_digest, Accessory.type).join(Accessory)
        return {digest: (subject, type_) for digest, subject, type_ in self.all(statement)}

    def shown(self) -> set[str]:
        with self.app.app_context():
            return {artifact.digest for artifact in db.session.scalars(service.top_level(service.everything(self.row())))}

    def row(self) -> Repository:
        found = repositories.find(self.repository)
        assert found is not None
        return found

    def delete(self, digest: str) -> None:
        with self.app.app_context():
            assert removal.delete(self.registry.client, self.write(digest), lambda intent, tags: None)

    def stored(self, *digests: str) -> set[str]:
        """Those of the digests that the registry has."""
        return {digest for digest in digests if self.registry.client.digest_of(self.repository, digest)}


@pytest.fixture
def index(settings: Settings, registry: PlainRegistry) -> Iterator[Index]:
    made = Index(settings, registry)
    yield made
    with made.app.app_context():
        db.engine.dispose()


def test_types_are_harbors(index: Index) -> None:
    subject = index.push("v1")
    types = {index.attach(subject, given): expected for given, expected in rules.TYPES.items()}
    types[index.attach(subject, "application/spdx+json")] = rules.ANYTHING
    signature = index.sign_by_tag(subject)
    assert index.attached() == {
        **{digest: (subject, type_) for digest, type_ in types.items()},
        signature: (subject, rules.SIGNED_BY_COSIGN),
    }


def test_a_tag_of_cosigns_alone_signs_nothing(index: Index) -> None:
    index.sign_by_tag(index.push("v1"), "application/octet-stream")
    assert index.attached() == {}


def test_an_accessory_may_come_before_its_subject(index: Index) -> None:
    absent = "sha256:" + "a" * 64
    signature = index.attach(absent, NOTATION)
    assert index.attached() == {signature: (absent, rules.SIGNED_BY_NOTATION)}
    assert index.shown() == set()


def test_lists_show_the_subject_and_not_what_is_attached(index: Index) -> None:
    subject, untagged = index.push("v1"), index.push(content="untagged")
    index.attach(index.attach(subject))
    index.sign_by_tag(subject)
    listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    by_client = index.registry.put(index.repository, rules.fallback_tag(subject), listed)
    index.deliver(index.event("push", by_client, rules.fallback_tag(subject)))
    assert index.shown() == {subject, untagged}
    with index.app.app_context():
        repository = index.row()
        found = accessories.by_artifact([service.get(repository, subject), service.get(repository, untagged)])
        assert sorted(len(attached) for attached in found.values()) == [0, 2]


def test_everything_attached_goes_with_its_subject(index: Index) -> None:
    subject, other = index.push("v1"), index.push("v2", "other")
    sbom = index.attach(subject)
    mine = {sbom, index.attach(sbom, NOTATION), index.sign_by_tag(subject)}
    listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"mediaType": OCI_MANIFEST, "digest": sbom, "size": 1}]}
    by_client = index.registry.put(index.repository, rules.fallback_tag(subject), listed)
    index.deliver(index.event("push", by_client, rules.fallback_tag(subject)))
    theirs = index.attach(other)
    index.delete(subject)
    assert index.digests() == {other, theirs} == index.stored(subject, *mine, by_client, other, theirs)
    assert set(index.attached()) == {theirs}
    assert index.tags() == {"v2": other}


def test_an_index_takes_along_the_children_that_nobody_else_needs(index: Index) -> None:
    lonely, shared, tagged = index.push(content="a"), index.push(content="b"), index.push("v1", "c")
    signature = index.attach(lonely)
    first = index.registry.index(index.repository, "first", {lonely: "a", shared: "b", tagged: "c"})
    second = index.registry.index(index.repository, "second", {shared: "b"})
    index.deliver(index.event("push", first, "first"), index.event("push", second, "second"))
    for child in (lonely, shared, tagged):
        with pytest.raises(PreconditionFailed):
            index.delete(child)
    index.delete(first)
    assert index.digests() == {shared, tagged, second} == index.stored(lonely, shared, tagged, first, second, signature)
    index.delete(second)
    assert index.digests() == {tagged}


def test_a_clients_own_list_of_referrers_protects_nothing(index: Index) -> None:
    subject = index.push("v1")
    signature = index.attach(subject)
    listed = {"mediaType": OCI_MANIFEST, "digest": signature, "size": 1}
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [listed]}
    by_client = index.registry.put(index.repository, rules.fallback_tag(subject), body)
    index.deliver(index.event("push", by_client, rules.fallback_tag(subject)))
    index.delete(signature)
    assert index.digests() == {subject, by_client}


def test_who_takes_the_tag_away_takes_the_signature_away(index: Index) -> None:
    subject = index.push("v1")
    index.sign_by_tag(subject)
    kept = index.attach(subject)
    index.delete(f"{rules.fallback_tag(subject)}.sig")
    assert set(index.attached()) == {kept}


def test_a_deleted_accessory_is_forgotten(index: Index) -> None:
    subject = index.push("v1")
    signature = index.attach(subject)
    index.registry.delete(index.repository, signature)
    index.deliver(index.event("delete", signature))
    assert (index.attached(), index.digests()) == ({}, {subject})
