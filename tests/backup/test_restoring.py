"""Backups on every database: whatever was there is there again, wherever it is brought back to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from authsvc.backup import archive, service
from authsvc.backup.keys import Identities, Recipients, new_identity
from authsvc.backup.shelf import ARCHIVE
from authsvc.core import schema
from authsvc.core.base import create_base
from authsvc.core.db import db
from authsvc.core.errors import Conflict, PreconditionFailed
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution.directory import Directory
from tests.backup.house import BLOBS, LINKS, Ended, House, digest_of, prepared, rows


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
    root = Directory(Layout(elsewhere).storage).tree
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


@pytest.mark.parametrize("plain", [False, True])
def test_what_the_copy_has_damaged_is_found(house: House, elsewhere: Settings, plain: bool) -> None:
    changes = {"backup_recipients": ("plain",)} if plain else {}
    name, _ = house.back_up(**changes)
    backup = house.shelf.find(name)
    assert service.damaged(house.shelf, backup, house.identity) == []
    copy = next(path for path in (house.shelf.root / "blobs").rglob(digest_of(BLOBS[1])))
    data = copy.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # whatever it was: what is encrypted ends with any byte
    assert service.damaged(house.shelf, backup, house.identity) == [f"sha256:{digest_of(BLOBS[1])}"]
    found = service.restore(elsewhere, house.shelf, backup, house.identity)
    assert found.lost == [f"sha256:{digest_of(BLOBS[1])}"]
    root = Directory(Layout(elsewhere).storage).blobs / "sha256"
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


@pytest.mark.once
def test_what_settings_name_comes_with_it(house: House, elsewhere: Settings, tmp_path: Path) -> None:
    described = tmp_path / "storage.yml"
    described.write_text("s3: {region: eu-central-1, bucket: images}\n")
    described.chmod(0o600)
    name, _ = house.back_up(registry_storage_file=described)
    found = service.restore(elsewhere, house.shelf, house.shelf.find(name), house.identity)
    assert (found.files / "registry-storage.yml").read_text() == described.read_text()
    assert (found.files / "registry-storage.yml").stat().st_mode & 0o077 == 0


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
    assert (Directory(storage).repositories / "web/app/_uploads/1/data").read_bytes() == b"half"


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
        size, digest = archive.pack(old.parent, part / ARCHIVE, Recipients.of(house.settings.backup_recipients), lambda: None)
    older = replace(backup, name=part.name[1:-5], schema="0027", size=size, digest=digest, blobs=None)
    service.restore(elsewhere, house.shelf, older, house.identity)
    made = create_base(elsewhere)
    with made.app_context(), db.engine.connect() as connection:
        assert schema.present(connection) == schema.newest()
        connection.close()
        db.engine.dispose()
