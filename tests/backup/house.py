"""An installation to make backups of."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from authsvc.backup import service
from authsvc.backup.keys import Identities
from authsvc.backup.shelf import Shelf
from authsvc.core.base import create_base
from authsvc.core.db import Base, db, transaction
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.distribution.directory import Directory
from authsvc.stack.prepare import prepare
from authsvc.users import service as users

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
        self.blobs = Directory(Layout(settings).storage).tree
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


def rows(settings: Settings) -> dict[str, list[str]]:
    app = create_base(settings)
    with app.app_context():
        try:
            return {table.name: sorted(map(str, db.session.execute(select(table)))) for table in Base.metadata.sorted_tables}
        finally:
            db.session.rollback()
            db.engine.dispose()


class Ended(Exception):
    """Somebody stopped the task."""
