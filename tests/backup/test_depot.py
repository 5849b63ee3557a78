"""The second copy, in a bucket: what is there can be brought back and restored, and goes by the same rule."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from authsvc.backup import service
from authsvc.backup.depot import Depot
from authsvc.backup.shelf import Shelf
from authsvc.core.errors import Conflict, NotFound, PreconditionFailed, Unavailable
from authsvc.core.settings import Settings
from authsvc.distribution.objects import Objects
from tests.backup.house import BLOBS, House, rows
from tests.support.ports import free_ports
from tests.support.s3 import S3, s3

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def depot(house: House, store: S3, tmp_path: Path) -> Depot:
    """An empty place of the test's own in the bucket, that backups of the house are copied to."""
    parameters = store.parameters | {"rootdirectory": f"/{tmp_path.name}"}
    house.settings = replace(house.settings, backup_bucket_file=store.described(tmp_path, s3=parameters))
    made = service.depot(house.settings)
    assert made is not None
    return made


def back_up(house: House) -> str:
    name, _ = house.back_up()
    service.copy(house.settings, house.shelf.find(name), lambda: None, lambda line: None)
    return name


def paths(depot: Depot) -> list[str]:
    return sorted(depot._objects.paths())


def test_what_is_brought_back_is_restored(house: House, depot: Depot, elsewhere: Settings, tmp_path: Path) -> None:
    name = back_up(house)
    before = rows(house.settings)
    shutil.rmtree(house.shelf.root)
    brought = Shelf(tmp_path / "brought")
    said: list[str] = []
    assert depot.bring("", brought, said.append).name == name
    assert said == [f"{name} is in {brought.root}"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (brought.root, brought.root / name, brought.root / "blobs"))
    found = service.restore(elsewhere, brought, brought.find(), house.identity)
    assert (found.has_blobs, found.lost) == (True, [])
    assert rows(elsewhere)["users"] == before["users"]
    with pytest.raises(Conflict, match="already"):
        depot.bring(name, brought, said.append)
    with pytest.raises(NotFound, match="20260101T000000Z"):
        depot.bring("20260101T000000Z", brought, said.append)


def test_a_blob_is_copied_once_and_goes_with_the_last_that_needs_it(house: House, depot: Depot) -> None:
    first = back_up(house)
    blobs = [path for path in paths(depot) if path.startswith("blobs/")]
    assert len(blobs) == len(BLOBS)
    house.store(BLOBS[0]).unlink()
    house.settings = replace(house.settings, backup_keep=("1d",))
    second = back_up(house)
    assert [one.name for one in depot.backups()] == [second]
    left = paths(depot)
    assert not [path for path in left if path.startswith(first)]
    assert len([path for path in left if path.startswith("blobs/")]) == len(BLOBS) - 1


def test_no_blob_goes_while_a_backup_cannot_be_read(house: House, depot: Depot) -> None:
    names = [back_up(house) for _ in range(2)]
    depot._objects.store.put(f"{names[0]}/about.json", b"{")
    before = [path for path in paths(depot) if path.startswith("blobs/")]
    house.store(b"a new one")
    house.settings = replace(house.settings, backup_keep=("1d",))
    back_up(house)
    assert set(before) <= set(paths(depot))


def test_one_that_is_removed_meanwhile_is_no_backup(house: House, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Depot._put

    def put_and_lose(self: Depot, file: Path, path: str) -> None:
        put(self, file, path)
        if path.startswith("blobs/"):
            self._objects.remove([path])

    monkeypatch.setattr(Depot, "_put", put_and_lose)
    with pytest.raises(Conflict, match="removed from s3://images meanwhile"):
        back_up(house)
    assert depot.backups() == []


def test_a_bucket_that_is_away_is_said_and_the_directory_has_its_backup(house: House, store: S3, tmp_path: Path) -> None:
    away = store.parameters | {"regionendpoint": f"http://127.0.0.1:{free_ports(1)[0]}"}
    house.settings = replace(house.settings, backup_bucket_file=store.described(tmp_path, s3=away))
    with pytest.raises(Unavailable, match="s3://images does not answer") as raised:
        back_up(house)
    assert "canary" not in str(raised.value)
    assert len(house.shelf.backups()) == 1


def test_large_ones_come_in_pieces(house: House, depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authsvc.backup.depot._PIECE", 1000)
    name = back_up(house)
    brought = Shelf(tmp_path / "brought")
    depot.bring(name, brought, lambda line: None)
    assert service.damaged(brought, brought.find(), house.identity) == []


EVIL = "sha256:../../../../../../evil"


@pytest.mark.parametrize("listed", [f"{EVIL} 3\n", "sha256:" + "0" * 64 + "\n", None], ids=["path", "line", "no gzip"])
def test_whoever_writes_to_the_bucket_writes_nowhere_else(house: House, depot: Depot, tmp_path: Path, listed: str | None) -> None:
    name = back_up(house)
    depot._objects.store.put(f"{name}/blobs.gz", gzip.compress(listed.encode()) if listed else b"no gzip")
    brought = Shelf(tmp_path / "brought")
    with pytest.raises(PreconditionFailed, match=r"its blobs.gz is no list of blobs"):
        depot.bring(name, brought, lambda line: None)
    assert brought.backups() == []
    if listed:
        (house.shelf.root / name / "blobs.gz").write_bytes(gzip.compress(listed.encode()))
        with pytest.raises(PreconditionFailed, match="no list of blobs"):
            service.damaged(house.shelf, house.shelf.find(name), house.identity)


def test_a_backup_that_names_another_directory_is_none(house: House, depot: Depot) -> None:
    name = back_up(house)
    said = json.loads((house.shelf.root / name / "about.json").read_text())
    depot._objects.store.put(f"{name}/about.json", json.dumps(said | {"whom_for": "../../../evil"}).encode())
    assert depot.backups() == []


def test_what_is_gone_may_be_removed_again(depot: Depot) -> None:
    objects: Objects = depot._objects
    objects.store.put("x", b"x")
    objects.remove(["x", "y"])
    assert list(objects.paths()) == []
