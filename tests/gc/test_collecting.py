"""What a collection deletes, and what it leaves: whatever anything needs, or may need at any moment."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from authsvc.artifacts.models import Blob
from tests.gate.test_blobs import blobs_of
from tests.gc.conftest import GRACE, Yard
from tests.support.registry import LAYER_TYPE, digest_of


def delete(yard: Yard, data: bytes) -> None:
    assert yard.delete(digest_of(data)).status_code == 202


def blob_rows(yard: Yard) -> set[str]:
    from authsvc.core.db import db, reading

    with yard.world.front.flask.app_context(), reading():
        return set(db.session.scalars(select(Blob.digest)))


def test_what_nothing_needs_goes_and_all_else_stays(anywhere: Yard) -> None:
    yard = anywhere
    kept, gone = yard.manifest("kept"), yard.manifest("gone")
    shared = json.dumps(json.loads(gone) | {"layers": json.loads(kept)["layers"]}).encode()
    lost = yard.registry.blob(yard.repository, b"never part of an image", LAYER_TYPE)["digest"]
    for tag, data in (("kept", kept), ("gone", gone), ("shared", shared)):
        assert yard.put(tag, data).status_code == 201
    delete(yard, gone)
    delete(yard, shared)
    before = yard.stored()
    run = yard.collect(workers=2)
    assert run["job_status"] == "Success", run["log"]
    doomed = {digest_of(gone), digest_of(shared), lost, *blobs_of(gone)}
    assert before - yard.stored() == doomed
    assert {digest_of(kept), *blobs_of(kept)} <= yard.stored()
    assert blob_rows(yard) == {digest_of(kept), *blobs_of(kept)}
    told = json.loads(run["job_parameters"])
    size = sum(map(len, (gone, shared, b"layer gone", b"never part of an image"))) + json.loads(gone)["config"]["size"]
    assert (told["purged_blobs"], told["freed_space"], told["workers"], told["dry_run"]) == (5, size, 2, False)
    for said in ("workers: 2", "5 blobs and 0 manifests eligible for deletion", "The GC job actual frees up 0.00 MB space."):
        assert said in run["log"]
    for digest in doomed:
        assert f"delete blob from storage: {digest}" in run["log"]
    assert yard.registry.client.manifest(yard.repository, "kept") is not None
    assert yard.put("again", yard.manifest("gone")).status_code == 201, "whoever pushes it again has it again"
    assert {digest_of(gone), *blobs_of(gone)} <= yard.stored()


def test_a_dry_run_changes_nothing(anywhere: Yard) -> None:
    yard = anywhere
    data, untagged = yard.manifest("x"), yard.manifest("untagged")
    assert yard.put("v1", data).status_code == yard.put(digest_of(untagged), untagged).status_code == 201
    delete(yard, data)
    before = yard.stored()
    run = yard.collect(dry_run=True, delete_untagged=True)
    assert run["job_status"] == "Success", run["log"]
    assert "3 blobs and 1 manifests eligible for deletion" in run["log"]
    assert "purged_blobs" not in json.loads(run["job_parameters"])
    assert yard.stored() >= before
    assert not yard.condemned()
    assert yard.registry.client.manifest(yard.repository, digest_of(untagged)) is not None


def test_what_the_index_does_not_know_is_needed_as_well(anywhere: Yard) -> None:
    """An older registry's repositories, of which nobody has made projects; whatever the manifest is like."""
    yard = anywhere
    image = yard.registry.image("older/app", "v1", content="older")
    layer = yard.registry.blob("older/odd", b"odd", LAYER_TYPE)
    odd = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": layer, "layers": []}
    yard.registry.put("older/odd", None, odd)
    before = yard.stored()
    assert yard.collect()["job_status"] == "Success"
    assert yard.stored() >= before
    yard.registry.delete("older/app", image)
    assert yard.collect()["job_status"] == "Success"
    assert len(before - yard.stored()) == 3


@pytest.mark.parametrize("grace", [GRACE])
def test_it_takes_as_long_as_the_grace_time(yard: Yard) -> None:
    data = yard.manifest("x")
    assert yard.put("v1", data).status_code == 201
    delete(yard, data)
    lost = {digest_of(data), *blobs_of(data)}
    yard.collect()
    assert not yard.condemned(), "it has just been pushed"
    _age(yard, lost)
    run = yard.collect()
    assert f"3 blobs are deleted once nobody has asked for them for {GRACE} s" in run["log"]
    assert (yard.condemned(), lost <= yard.stored()) == (lost, True)
    yard.sweep()
    assert lost <= yard.stored(), "the time is not over"
    yard.later()
    yard.sweep()
    assert not lost & yard.stored()
    assert not yard.condemned()
    assert json.loads(yard.run(run["path"])["job_parameters"])["purged_blobs"] == 3, "told with the run that condemned them"


@pytest.mark.parametrize("grace", [GRACE])
def test_what_was_condemned_and_is_needed_again_stays(yard: Yard) -> None:
    """Recorded without us, and not known to the index at all: of a database that was brought back from yesterday, say."""
    data = yard.manifest("x")
    assert yard.put("v1", data).status_code == 201
    delete(yard, data)
    lost = {digest_of(data), *blobs_of(data)}
    _age(yard, lost)
    yard.collect()
    assert yard.condemned() == lost
    yard.later()
    yard.registry.put("older/app", "v1", json.loads(yard.manifest("x", "older/app")))
    yard.sweep()
    assert blobs_of(data)[1] in yard.stored()
    assert not yard.condemned()


def test_untagged_artifacts_go_on_demand(yard: Yard) -> None:
    child, subject = yard.manifest("child"), yard.manifest("subject")
    reference = {"mediaType": json.loads(subject)["mediaType"], "digest": digest_of(subject), "size": len(subject)}
    attached = yard.manifest("attached", subject=reference)
    lone, lone_child = yard.manifest("lone"), yard.manifest("lone child")
    for data in (child, attached, lone, lone_child):
        assert yard.put(digest_of(data), data).status_code == 201
    index, lone_index = yard.index(child), yard.index(lone_child)
    media_type = json.loads(index)["mediaType"]
    assert yard.put("subject", subject).status_code == yard.put("index", index, media_type=media_type).status_code == 201
    assert yard.put(digest_of(lone_index), lone_index, media_type=media_type).status_code == 201
    assert json.loads(yard.collect()["job_parameters"]).get("purged_manifests", 0) == 0
    run = yard.collect(delete_untagged=True)
    assert run["job_status"] == "Success", run["log"]
    assert "7 blobs and 2 manifests eligible for deletion" in run["log"]
    left = {
        data: yard.registry.client.manifest(yard.repository, digest_of(data)) is not None for data in (child, subject, attached)
    }
    assert all(left.values())
    for data in (lone, lone_index, lone_child):
        assert digest_of(data) not in yard.stored()
    assert json.loads(run["job_parameters"])["purged_manifests"] == 2
    assert {entry["username"] for entry in yard.audit("delete")} == {"tidegate:gc"}


def test_another_storage_than_the_registrys_is_not_touched(yard: Yard, tmp_path: Path) -> None:
    data = yard.manifest("x")
    assert yard.put("v1", data).status_code == 201
    yard.collect()
    delete(yard, data)
    (tmp_path / "storage").rename(tmp_path / "aside")
    other = tmp_path / "storage"
    (other / "docker/registry/v2/blobs/sha256/ab/abcd").mkdir(parents=True)
    (other / "docker/registry/v2/blobs/sha256/ab/abcd/data").write_text("somebody else's")
    run = yard.collect()
    assert run["job_status"] == "Error"
    assert "marker" in run["log"]
    assert (other / "docker/registry/v2/blobs/sha256/ab/abcd/data").exists()


def test_what_cannot_be_deleted_is_said_and_tried_again(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    data = yard.manifest("x")
    assert yard.put("v1", data).status_code == 201
    delete(yard, data)
    lost = {digest_of(data), *blobs_of(data)}
    rename = Path.rename

    def refuses(self: Path, target: Path) -> Path:
        if digest_of(data).removeprefix("sha256:") in self.name:
            raise PermissionError(13, "not permitted")
        return rename(self, target)

    with monkeypatch.context() as patches:
        patches.setattr(Path, "rename", refuses)
        run = yard.collect()
    assert run["job_status"] == "Error"
    assert "1 artifacts or blobs could not be deleted" in run["log"]
    assert lost & yard.stored() == {digest_of(data)} == yard.condemned()
    yard.sweep()
    assert not lost & yard.stored()


def _age(yard: Yard, digests: set[str]) -> None:
    """They came long ago."""
    from authsvc.distribution.directory import Directory

    storage = yard.storage
    assert isinstance(storage, Directory)
    for digest in digests:
        os.utime(storage.file(digest), (time.time() - 2 * GRACE,) * 2)
