"""An index and a real registry that stores on disk, where a test can do to the storage what kills and full disks do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from authsvc.core.db import db
from authsvc.core.settings import Settings
from tests.support.registry import plain_registry
from tests.webhook.test_recorder import Recorder


@dataclass(frozen=True)
class Storage:
    """The directory of a registry."""

    root: Path

    def blob(self, digest: str) -> Path:
        encoded = digest.removeprefix("sha256:")
        return self.root / f"docker/registry/v2/blobs/sha256/{encoded[:2]}/{encoded}/data"

    def cut(self, digest: str, size: int = 0) -> None:
        """Leave so many bytes of a blob, as a registry does that is killed while it writes one."""
        file = self.blob(digest)
        file.write_bytes(file.read_bytes()[:size])

    @contextmanager
    def away(self, part: str = "") -> Iterator[None]:
        """Meanwhile the storage, or a part of it, is empty: as if it were not mounted."""
        place = self.root / part
        aside = self.root.parent / "aside"
        place.rename(aside)
        place.mkdir()
        try:
            yield
        finally:
            shutil.rmtree(place)
            aside.rename(place)

    def repository(self, name: str) -> str:
        """What holds a repository, as a part."""
        return f"docker/registry/v2/repositories/{name}"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    root = tmp_path / "storage"
    root.mkdir()
    return Storage(root)


@pytest.fixture
def index(settings: Settings, storage: Storage, tmp_path: Path) -> Iterator[Recorder]:
    with plain_registry(tmp_path, storage={"filesystem": {"rootdirectory": str(storage.root)}}) as registry:
        made = Recorder(settings, registry)
        yield made
        with made.app.app_context():
            db.engine.dispose()
