"""Writing into a proxy cache: as every write, but for what a registry wants of an index, that all it names is there.

Of an image for ten platforms a cluster pulls one. The others stay where they are until somebody asks for them: so the index is
put where the registry would put it, past the registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.core import names
from authsvc.core.errors import Unavailable
from authsvc.distribution.directory import ELSEWHERE
from authsvc.distribution.manifest import Manifest
from authsvc.distribution.storage import Storage
from authsvc.gate.asked import Asked
from authsvc.gate.writes import Writer


@dataclass(frozen=True)
class CacheWriter(Writer):
    """`place`: where the registry stores."""

    place: Storage = ELSEWHERE

    def _store(self, asked: Asked, manifest: Manifest, data: bytes) -> None:
        tag = asked.reference if names.is_tag(asked.reference) else ""
        if not manifest.is_index or not self.place.put_manifest(asked.repository, manifest.digest, data, tag):
            super()._store(asked, manifest, data)
        elif self.client.manifest(asked.repository, asked.reference) is None:
            raise Unavailable("the registry does not see what was stored for it")
