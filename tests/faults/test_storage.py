"""What becomes of the index when the registry's storage is damaged, or away."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from authsvc.artifacts import reconcile
from authsvc.artifacts.models import Artifact, Blob, Damage, Tag
from authsvc.artifacts.reconcile import Implausible, Report
from authsvc.core.db import db, transaction
from authsvc.distribution.client import Unreadable
from authsvc.distribution.directory import Directory
from tests.faults.conftest import Storage
from tests.support.registry import digest_of
from tests.webhook.test_recorder import Recorder

LONG_AGO = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(index: Recorder, **how: Any) -> Report:
    with index.app.app_context():
        return reconcile.run(index.registry.client, **how)


def images(index: Recorder, count: int) -> dict[str, str]:
    """Tag -> digest of what was pushed; the index knows it, pushed and pulled long ago."""
    made = {f"t{number}": index.registry.image(index.repository, f"t{number}", content=f"{number}") for number in range(count)}
    assert run(index).recorded == count
    with index.app.app_context(), transaction():
        for model in (Artifact, Tag):
            db.session.execute(update(model).values(push_time=LONG_AGO, pull_time=LONG_AGO))
    return made


def times(index: Recorder) -> set[Any]:
    found = [index.all(select(model.push_time, model.pull_time)) for model in (Artifact, Tag)]
    return {moment for rows in found for row in rows for moment in row}


def damages(index: Recorder) -> list[str]:
    return [reference for (reference,) in index.all(select(Damage.reference).order_by(Damage.reference))]


@pytest.mark.parametrize("size", [0, 10])
def test_a_manifest_that_was_cut_off_holds_up_nothing(index: Recorder, storage: Storage, size: int) -> None:
    digests = {tag: index.registry.image(index.repository, tag, content=tag) for tag in "abcde"}
    storage.cut(digests["b"], size)
    report = run(index)
    assert index.tags() == {tag: digest for tag, digest in digests.items() if tag != "b"}
    assert (report.partial, report.problems, report.recorded) == (True, [], 4)
    (damaged,) = report.damaged
    assert damaged.startswith(f"{index.repository}:b: ")
    assert damages(index) == ["b"]
    digests["b"] = index.registry.image(index.repository, "b", content="another")
    report = run(index)
    assert (report.partial, report.damaged, index.tags(), damages(index)) == (False, [], digests, [])


def test_what_changed_last_is_compared_first(index: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    project, asked = index.repository.partition("/")[0], list[str]()
    images(index, 1)
    for name in ("b", "c", "a"):
        index.registry.image(f"{project}/{name}", "v1")
        run(index)
    index.registry.image(f"{project}/new", "v1")
    known_tags = index.registry.client.tags

    def tags(name: str) -> list[str] | None:
        asked.append(name)
        return known_tags(name)

    monkeypatch.setattr(index.registry.client, "tags", tags)
    run(index)
    assert asked == [*(f"{project}/{name}" for name in ("new", "a", "c", "b")), index.repository]


def test_what_is_damaged_after_it_was_recorded_stays_in_the_index(index: Recorder, storage: Storage) -> None:
    digests = images(index, 3)
    storage.cut(digests["t1"])
    report = run(index)
    assert (report.partial, report.forgotten, index.tags()) == (True, 0, digests)
    assert damages(index) == sorted([digests["t1"], "t1"])


@pytest.mark.parametrize("size", [0, 5])
def test_a_layer_that_was_cut_off_is_mended_by_pushing_again(index: Recorder, storage: Storage, size: int) -> None:
    digests = images(index, 2)
    layer = digest_of(b"layer 1")
    storage.cut(layer, size)
    report = run(index, storage=Directory(storage.root))
    assert report.damaged == [f"{index.repository}@{digests['t1']}: {layer} is cut off: push it again"]
    assert run(index, storage=Directory(storage.root)).damaged[0].endswith("is not there: push it again")
    assert index.tags() == digests
    index.registry.image(index.repository, "t1", content="1")
    assert run(index, storage=Directory(storage.root)).partial is False
    assert storage.blob(layer).read_bytes() == b"layer 1"


def test_a_link_in_which_nothing_stands_is_mended_by_pushing_again(index: Recorder, storage: Storage) -> None:
    digests = images(index, 2)
    layer = digest_of(b"layer 1")
    link = storage.root / storage.repository(index.repository) / "_layers" / layer.replace(":", "/") / "link"
    link.write_text("")
    run(index, storage=Directory(storage.root))
    assert link.exists()  # the registry may be about to write it
    os.utime(link, (LONG_AGO.timestamp(),) * 2)
    with pytest.raises(Unreadable):
        index.registry.client.blob_size(index.repository, layer)
    for _ in range(2):
        report = run(index, storage=Directory(storage.root))
        assert report.damaged == [f"{index.repository}@{digests['t1']}: {layer} is not there: push it again"]
    index.registry.image(index.repository, "t1", content="1")
    assert run(index, storage=Directory(storage.root)).partial is False
    assert index.registry.client.blob_size(index.repository, layer) == len(b"layer 1")


def test_a_size_that_only_the_index_doubts_takes_nothing_away(index: Recorder, storage: Storage) -> None:
    images(index, 1)
    with index.app.app_context(), transaction():
        db.session.execute(update(Blob).values(size=1))
    assert run(index, storage=Directory(storage.root)).damaged == []
    assert storage.blob(digest_of(b"layer 0")).exists()


def test_a_storage_that_is_not_mounted_forgets_nothing(index: Recorder, storage: Storage) -> None:
    digests = images(index, 3)
    with storage.away():
        with pytest.raises(Implausible, match="mounted"):
            run(index)
        index.registry.image(index.repository, "t0", content="into the empty one")
        with pytest.raises(Implausible, match="mounted"):
            run(index)
    assert index.tags() == digests
    assert (run(index).forgotten, index.tags(), times(index)) == (0, digests, {LONG_AGO})


def test_a_storage_that_is_the_right_one_by_the_word_of_an_administrator(index: Recorder, storage: Storage) -> None:
    images(index, 3)
    with storage.away():
        report = run(index, insist=True)
        assert (report.forgotten, index.tags(), index.digests()) == (6, {}, set())
        assert run(index).forgotten == 0, "it is known from now on"


def test_a_part_that_is_gone_is_too_much_to_be_true(index: Recorder, storage: Storage) -> None:
    digests = images(index, 25)
    with storage.away(storage.repository(index.repository)):
        with pytest.raises(Implausible, match="50 of 50"):
            run(index)
        assert index.tags() == digests
        assert run(index, insist=True).forgotten == 50
    assert index.tags() == {}
    assert run(index).recorded == 25
    assert (index.tags(), times(index)) == (digests, {LONG_AGO}), "what comes back has the times that it had"


def test_little_goes_without_a_word_and_comes_back_with_its_times(index: Recorder, storage: Storage) -> None:
    digests = images(index, 3)
    with storage.away(storage.repository(index.repository)):
        assert run(index).forgotten == 6
    assert run(index).recorded == 3
    assert (index.tags(), times(index)) == (digests, {LONG_AGO})


def test_what_was_deleted_and_pushed_again_is_new(index: Recorder) -> None:
    digests = images(index, 2)
    index.registry.delete(index.repository, digests["t0"])
    index.deliver(index.event("delete", digests["t0"]))
    index.registry.image(index.repository, "t0", content="0")
    assert run(index).recorded == 1
    assert index.tags() == digests
    assert len(times(index)) > 1
