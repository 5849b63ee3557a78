"""Making and keeping backups, on every database, while others write."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select

from authsvc.backup import archive, service
from authsvc.backup.keys import Recipients, new_identity
from authsvc.backup.shelf import Shelf
from authsvc.core.base import create_base
from authsvc.core.db import Base, db, transaction
from authsvc.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from authsvc.core.settings import Settings
from authsvc.users import service as users
from tests.backup.house import BLOBS, Ended, House, digest_of


def test_one_that_is_interrupted_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise Ended

    monkeypatch.setattr(service, "_BEAT", -1.0)
    with pytest.raises(Ended):
        service.create(house.settings, stop, lambda line: None)
    assert house.shelf.backups() == []
    assert {path.name for path in house.shelf.root.iterdir()} <= {".lock", "blobs"}
    assert not list((house.settings.state_dir / "run").glob("backup-*"))
    monkeypatch.undo()


def test_one_at_a_time(house: House) -> None:
    with house.shelf.locked(), pytest.raises(Conflict, match="another backup"):
        house.back_up()


def test_a_blob_is_copied_once_and_goes_with_the_last_that_needs_it(house: House) -> None:
    first, _ = house.back_up()
    copies = {path: path.stat().st_mtime_ns for path in (house.shelf.root / "blobs").rglob("*") if path.is_file()}
    assert len(copies) == len(BLOBS)
    gone = house.store(BLOBS[0])
    gone.unlink()
    house.store(b"a new one")
    second, _ = house.back_up()
    assert house.shelf.find(second).blobs == len(BLOBS)
    after = {path: path.stat().st_mtime_ns for path in (house.shelf.root / "blobs").rglob("*") if path.is_file()}
    assert copies.items() <= after.items()
    assert len(after) == len(BLOBS) + 1
    with house.shelf.locked():
        assert house.shelf.prune(("1d",)) == [first]
    left = {path.name for path in (house.shelf.root / "blobs").rglob("*") if path.is_file()}
    assert left == {digest.partition(":")[2] for digest, _ in house.shelf.digests(house.shelf.find())}
    assert digest_of(BLOBS[0]) not in left


def test_no_blob_goes_while_a_backup_cannot_be_read(house: House) -> None:
    """It may need any."""
    names = [house.back_up()[0] for _ in range(3)]
    (house.shelf.root / names[1] / "about.json").write_text("{")
    before = sorted((house.shelf.root / "blobs").rglob("*"))
    with house.shelf.locked():
        assert house.shelf.prune(("1d",)) == [names[0]]
    assert sorted((house.shelf.root / "blobs").rglob("*")) == before


def test_what_the_storage_has_damaged_is_left_out_and_said(house: House) -> None:
    house.store(b"whole", content=b"cut off")
    name, said = house.back_up()
    assert house.shelf.find(name).blobs == len(BLOBS)
    assert any(digest_of(b"whole") in line for line in said)


def test_it_is_of_one_moment_while_others_write(house: House, elsewhere: Settings) -> None:
    """Rows that are written together come together."""
    app, stop = create_base(house.settings), threading.Event()
    begun = threading.Event()

    def write() -> None:
        number = 0
        with app.app_context():
            while not stop.is_set():
                with transaction():
                    for half in ("a", "b"):
                        users.create("test", username=f"{half}{number}", password=None)
                number += 1
                begun.set()
            db.engine.dispose()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        begun.wait(30)
        names = [house.back_up()[0] for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    service.restore(elsewhere, house.shelf, house.shelf.find(names[-1]), house.identity)
    came = create_base(elsewhere)
    with came.app_context():
        table = Base.metadata.tables["users"]
        halves = [db.session.scalar(select(func.count()).where(table.c.username.like(f"{half}%"))) for half in ("a0%", "b0%")]
        counted = {
            half: db.session.scalar(select(func.count()).where(table.c.username.regexp_match(f"^{half}[0-9]+$"))) for half in "ab"
        }
        db.session.rollback()
        db.engine.dispose()
    assert halves[0], "somebody wrote meanwhile"
    assert counted["a"] == counted["b"]


def test_nobody_is_named(house: House) -> None:
    with pytest.raises(PreconditionFailed, match="TIDEGATE_BACKUP_RECIPIENTS"):
        house.back_up(backup_recipients=())
    with pytest.raises(PreconditionFailed, match="TIDEGATE_BACKUP_DIRECTORY"):
        house.back_up(backup_directory=None)


@pytest.mark.once
def test_recipients() -> None:
    for wrong in ("age1nonsense", "ssh-ed25519 nonsense", "", "AGE-SECRET-KEY-1X"):
        with pytest.raises(BadRequest):
            Recipients.of([wrong])
    with pytest.raises(BadRequest):
        Recipients.of(["plain", new_identity()[1]])
    one, two = new_identity()[1], new_identity()[1]
    assert Recipients.of([one, two]).mark == Recipients.of([two, one]).mark != Recipients.of([one]).mark


@pytest.mark.once
def test_an_unknown_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Shelf(tmp_path / "nowhere").find()
    with pytest.raises(NotFound):
        Shelf(tmp_path).find("20260101T000000Z")


@pytest.mark.once
def test_who_waits_for_a_long_one_is_asked_all_the_time(tmp_path: Path) -> None:
    """However large a part is, nobody takes the work for abandoned."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / archive.DATABASE).write_bytes(secrets.token_bytes(1024) * 4096)
    recipients, asked = Recipients.of([new_identity()[1]]), list[int]()
    archive.pack(tmp_path / "files", tmp_path / "archive", recipients, lambda: asked.append(1))
    assert len(asked) > 3 * 4

    def stop() -> None:
        raise Ended

    for at in range(2):
        with pytest.raises(Ended):
            archive.pack(tmp_path / "files", tmp_path / f"archive-{at}", recipients, stop)
