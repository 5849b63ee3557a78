"""Backups on every database: whatever was there is there again, wherever it is brought back to."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from authsvc.backup import archive, service
from authsvc.backup.keys import Identities, Recipients, new_identity
from authsvc.backup.shelf import ARCHIVE, Shelf
from authsvc.core import schema
from authsvc.core.base import create_base
from authsvc.core.db import Base, db, transaction, utcnow
from authsvc.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack.prepare import prepare
from authsvc.users import service as users
from tests.support.databases import Databases

BLOBS = [b"a layer", b"another layer" * 1000, b""]
LINKS = {
    "web/app/_manifests/tags/1.0/current/link": "sha256:" + "0" * 64,
    "web/app/_layers/sha256/" + "1" * 64 + "/link": "sha256:" + "1" * 64,
}


def digest_of(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def prepared(settings: Settings) -> Flask:
    app = create_base(settings)
    prepare(app, settings)
    with app.app_context():
        db.engine.dispose()
    return app


class House:
    """An installation that is prepared, with things in it, and its identity."""

    def __init__(self, settings: Settings, identity: Path) -> None:
        self.settings, self.identity = settings, Identities.read(identity)
        with prepared(settings).app_context():
            with transaction():
                users.create("test", username="alice", password=None, email="alice@example.com")
            db.engine.dispose()
        self.blobs = Layout(settings).storage / "docker/registry/v2"
        for blob in BLOBS:
            self.store(blob)
        for name, content in LINKS.items():
            (self.blobs / "repositories" / name).parent.mkdir(parents=True)
            (self.blobs / "repositories" / name).write_text(content)
        (self.blobs / "repositories/web/app/_uploads/1").mkdir(parents=True)
        (self.blobs / "repositories/web/app/_uploads/1/data").write_bytes(b"half")

    def store(self, blob: bytes, content: bytes | None = None) -> Path:
        name = digest_of(blob)
        file = self.blobs / "blobs/sha256" / name[:2] / name / "data"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(blob if content is None else content)
        return file

    @property
    def shelf(self) -> Shelf:
        return service.shelf(self.settings)

    def back_up(self, **changes: object) -> tuple[str, list[str]]:
        said: list[str] = []
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return service.create(settings, lambda: None, said.append).name, said


@pytest.fixture(autouse=True)
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each backup is a day younger than the one before it."""
    counted = iter(range(1000))
    monkeypatch.setattr(service, "utcnow", lambda: utcnow() + timedelta(days=next(counted)))


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """An identity's file, and its public key."""
    private, public = new_identity()
    file = tmp_path / "identity"
    file.write_text(f"# public key: {public}\n{private}\n")
    file.chmod(0o600)
    return file, public


@pytest.fixture
def house(databases: Databases, tmp_path: Path, key: tuple[Path, str]) -> Iterator[House]:
    url = databases.bare()
    yield House(
        Settings(
            state_dir=tmp_path / "old",
            database_url=url,
            backup_directory=tmp_path / "backups",
            backup_recipients=(key[1],),
        ),
        key[0],
    )
    databases.forget(url)


@pytest.fixture
def elsewhere(databases: Databases, tmp_path: Path) -> Iterator[Settings]:
    """Another host, where nothing is."""
    url = databases.bare()
    yield Settings(state_dir=tmp_path / "new", database_url=url)
    databases.forget(url)


def rows(settings: Settings) -> dict[str, list[str]]:
    app = create_base(settings)
    with app.app_context():
        try:
            return {table.name: sorted(map(str, db.session.execute(select(table)))) for table in Base.metadata.sorted_tables}
        finally:
            db.session.rollback()
            db.engine.dispose()


def test_all_of_it_comes_back(house: House, elsewhere: Settings) -> None:
    name, _ = house.back_up()
    before = rows(house.settings)
    found = service.restore(elsewhere, house.shelf, house.shelf.find(name), house.identity)
    after = rows(elsewhere)
    assert after.pop("signing_leaves") == [], "keys of the dead sign no more"
    del before["signing_leaves"]
    assert after == before
    assert (found.has_blobs, found.lost) == (True, [])
    assert Layout(elsewhere).master_key.read_text().strip() == Layout(house.settings).master_key.read_text().strip()
    root = Layout(elsewhere).storage / "docker/registry/v2"
    for blob in BLOBS:
        assert (root / "blobs/sha256" / digest_of(blob)[:2] / digest_of(blob) / "data").read_bytes() == blob
    links = {str(path.relative_to(root / "repositories")): path.read_text() for path in root.glob("repositories/**/link")}
    assert links == LINKS
    assert not list(root.glob("repositories/**/_uploads"))
    prepared(elsewhere)
    for name, old in (
        ("sealing_key", Layout(house.settings).sealing_key),
        ("ca_certificate", Layout(house.settings).ca_certificate),
    ):
        assert getattr(Layout(elsewhere), name).read_text() == old.read_text(), f"what the database keeps: {name}"
    assert "TIDEGATE_BACKUP_RECIPIENTS=age1" in (found.files / "settings.env").read_text()


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


class Ended(Exception):
    """Somebody stopped the task."""


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


@pytest.mark.parametrize("plain", [False, True])
def test_what_the_copy_has_damaged_is_found(house: House, elsewhere: Settings, plain: bool) -> None:
    changes = {"backup_recipients": ("plain",)} if plain else {}
    name, _ = house.back_up(**changes)
    backup = house.shelf.find(name)
    assert service.damaged(house.shelf, backup, house.identity) == []
    copy = next(path for path in (house.shelf.root / "blobs").rglob(digest_of(BLOBS[1])))
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    assert service.damaged(house.shelf, backup, house.identity) == [f"sha256:{digest_of(BLOBS[1])}"]
    found = service.restore(elsewhere, house.shelf, backup, house.identity)
    assert found.lost == [f"sha256:{digest_of(BLOBS[1])}"]
    root = Layout(elsewhere).storage / "docker/registry/v2/blobs/sha256"
    assert not list(root.rglob(f"{digest_of(BLOBS[1])}/*")), "a half one would never be pushed again"


def test_who_may_read_it(house: House, elsewhere: Settings, tmp_path: Path) -> None:
    name, _ = house.back_up()
    backup = house.shelf.find(name)
    secret = Layout(house.settings).master_key.read_text().strip().encode()
    for path in house.shelf.root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.is_dir() or not any(part in path.read_bytes() for part in (secret, b"alice@example.com", BLOBS[1]))
    other = tmp_path / "other"
    other.write_text(new_identity()[0])
    other.chmod(0o600)
    for identities in (Identities(), Identities.read(other)):
        with pytest.raises(PreconditionFailed, match="identity"):
            service.restore(elsewhere, house.shelf, backup, identities)
    assert not Layout(elsewhere).master_key.exists()
    service.restore(elsewhere, house.shelf, backup, house.identity)


def test_nobody_is_named(house: House) -> None:
    with pytest.raises(PreconditionFailed, match="TIDEGATE_BACKUP_RECIPIENTS"):
        house.back_up(backup_recipients=())
    with pytest.raises(PreconditionFailed, match="TIDEGATE_BACKUP_DIRECTORY"):
        house.back_up(backup_directory=None)


def test_a_damaged_archive_is_not_restored(house: House, elsewhere: Settings) -> None:
    name, _ = house.back_up()
    file = house.shelf.root / name / ARCHIVE
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(PreconditionFailed, match="damaged"):
        service.restore(elsewhere, house.shelf, house.shelf.find(name), house.identity)


def test_nothing_is_written_over(house: House, elsewhere: Settings, tmp_path: Path) -> None:
    backup = house.shelf.find(house.back_up()[0])
    before = rows(house.settings)
    with pytest.raises(Conflict, match="already"):
        service.restore(house.settings, house.shelf, backup, house.identity)
    with pytest.raises(Conflict, match="in use"):
        service.restore(replace(house.settings, state_dir=tmp_path / "third"), house.shelf, backup, house.identity)
    assert rows(house.settings) == before
    key = tmp_path / "master-key"
    key.write_text("another key that is long enough, by far\n")
    key.chmod(0o600)
    with pytest.raises(PreconditionFailed, match="another master key"):
        service.restore(replace(elsewhere, master_key_file=key), house.shelf, backup, house.identity)


def test_blobs_that_are_there_stay(house: House, elsewhere: Settings) -> None:
    backup = house.shelf.find(house.back_up()[0])
    storage = Layout(house.settings).storage
    found = service.restore(replace(elsewhere, registry_storage=storage), house.shelf, backup, house.identity)
    assert not found.has_blobs
    assert (storage / "docker/registry/v2/repositories/web/app/_uploads/1/data").read_bytes() == b"half"


def test_who_was_interrupted_begins_anew(house: House, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = house.shelf.find(house.back_up()[0])

    def fail(*_: object) -> None:
        raise Ended

    for part in ("authsvc.backup.blobs.read_links", "authsvc.backup.dump.put"):
        with monkeypatch.context() as patch:
            patch.setattr(part, fail)
            with pytest.raises(Ended):
                service.restore(elsewhere, house.shelf, backup, house.identity)
    assert service.restore(elsewhere, house.shelf, backup, house.identity).lost == []
    assert len(rows(elsewhere)["users"]) == len(rows(house.settings)["users"])


def test_of_an_older_release_and_of_a_newer_one(house: House, elsewhere: Settings, tmp_path: Path) -> None:
    backup = house.shelf.find(house.back_up()[0])
    with pytest.raises(PreconditionFailed, match="newer Tidegate"):
        service.restore(elsewhere, house.shelf, replace(backup, schema="9999"), house.identity)
    old = tmp_path / "files" / archive.DATABASE
    old.parent.mkdir()
    app = create_base(Settings(state_dir=tmp_path, database_url=f"sqlite:///{old}"))
    with app.app_context():
        with db.engine.connect() as connection:
            schema._migrate(connection, "0027")
            connection.commit()
        db.engine.dispose()
    with closing(sqlite3.connect(old)) as opened, opened:
        opened.execute("PRAGMA journal_mode=DELETE")
    (old.parent / archive.MASTER_KEY).write_text("a master key of forty characters or more\n")
    (old.parent / archive.SETTINGS).write_text("")
    with house.shelf.new(backup.made_at.replace(year=2001)) as part:
        size, digest = archive.pack(old.parent, part / ARCHIVE, Recipients.of(house.settings.backup_recipients))
    older = replace(backup, name=part.name[1:-5], schema="0027", size=size, digest=digest, blobs=None)
    service.restore(elsewhere, house.shelf, older, house.identity)
    made = create_base(elsewhere)
    with made.app_context(), db.engine.connect() as connection:
        assert schema.present(connection) == schema.newest()
        connection.close()
        db.engine.dispose()


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
