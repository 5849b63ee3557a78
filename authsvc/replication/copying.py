"""Copying artifacts from one end to the other: children before their index, blobs before their manifest, each by its digest.

What is there already is left alone, so it can be begun again at any moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from authsvc.core.errors import BadRequest, NotFound
from authsvc.distribution.blobs import Way
from authsvc.distribution.client import Content, RegistryClient
from authsvc.distribution.manifest import FOREIGN, Descriptor, Manifest, ManifestInvalid, parse
from authsvc.distribution.reading import PIECE
from authsvc.distribution.transport import Refused
from authsvc.replication.ends import Destination

CHUNK = 10 * 1024 * 1024  # bytes; Harbor's
_DEEPEST = 8  # indexes in indexes
_PULSE = 1.0  # seconds between two looks whether to go on


@dataclass
class Pace:
    """How fast: `speed` in bytes a second, 0: as fast as it goes. `keep_going` is called about once a second."""

    keep_going: Callable[[], None]
    speed: int = 0
    total: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _looked: float = field(default_factory=time.monotonic)

    @property
    def piece(self) -> int:
        """How many bytes may pass at once: no more than a second's, or whoever waits for them takes us for dead."""
        return min(PIECE, self.speed) if self.speed else PIECE

    def passed(self, size: int) -> None:
        """So many bytes went through: rest, if that was too fast."""
        self.total += size
        self.look()
        while self.speed and (ahead := self.total / self.speed - (time.monotonic() - self._begun)) > 0:
            time.sleep(min(ahead, _PULSE))
            self.look()

    def look(self) -> None:
        """Between two things that take a moment."""
        if time.monotonic() - self._looked >= _PULSE:
            self._looked = time.monotonic()
            self.keep_going()


@dataclass(frozen=True)
class Copier:
    """From a repository that `source` has to a repository of the other end. `log` takes a line; `chunk`: bytes of one request, 0
    for all of a blob in one; `whole`: an index with all that it names."""

    source: RegistryClient
    source_repository: str
    destination: Destination
    repository: str
    pace: Pace
    log: Callable[[str], None]
    chunk: int = 0
    whole: bool = True

    def copy(self, digest: str, tags: tuple[str, ...]) -> None:
        """An artifact, and the tags that it is to have there.

        Raises:
            DomainError: it is not taken, or not to be had.
            Unavailable: one of the ends does not answer.
        """
        manifest, content = self._read(digest)
        if not self.destination.held(self.repository, [digest]):
            self._bring_parts(manifest, _DEEPEST)
        for reference in tags or (digest,):
            self._put(reference, manifest, content)
            self.log(f"put {self.repository}{'@' if reference == digest else ':'}{reference} {digest}")

    def _put(self, reference: str, manifest: Manifest, content: Content) -> None:
        """What took long to come may miss a part by now, which was collected there as nobody needed it yet."""
        try:
            self.destination.put(self.repository, reference, manifest, content)
        except Refused:
            self._bring_parts(manifest, _DEEPEST)
            self.destination.put(self.repository, reference, manifest, content)

    def _read(self, digest: str) -> tuple[Manifest, Content]:
        self.pace.look()
        content = self.source.manifest(self.source_repository, digest)
        if content is None:
            raise NotFound(f"{self.source.transport.name} has no {self.source_repository}@{digest} any more")
        try:
            return parse(content.data, content.media_type), content
        except ManifestInvalid as error:
            raise BadRequest(f"{self.source_repository}@{digest} cannot be read: {error}") from error

    def _bring_parts(self, manifest: Manifest, levels: int) -> None:
        if not levels:
            raise BadRequest(f"{self.source_repository}@{manifest.digest} is nested more than {_DEEPEST} deep")
        self.destination.admit(self.repository, manifest)
        children = [child.digest for child in manifest.manifests]
        there = self.destination.held(self.repository, children) if children else frozenset()
        for digest in dict.fromkeys(children):
            if self.whole and digest not in there:
                child, content = self._read(digest)
                self._bring_parts(child, levels - 1)
                self._put(digest, child, content)
                self.log(f"put {self.repository}@{digest}")
        for blob in manifest.blobs:
            if blob.media_type not in FOREIGN:
                self._bring(blob)

    def _bring(self, blob: Descriptor) -> None:
        self.pace.look()
        if self.destination.holds_blob(self.repository, blob.digest):
            return
        elsewhere = next(
            (name for name in self.destination.siblings(self.repository, blob.digest) if name != self.repository), ""
        )
        way = Way(
            self.source,
            self.source_repository,
            self.destination.client,
            self.repository,
            blob.digest,
            blob.size,
            self.pace.passed,
            self.chunk,
            self.pace.piece,
        )
        begun = time.monotonic()
        if way.carry(elsewhere):
            self.log(f"mounted {blob.digest} from {elsewhere}")
        else:
            self.log(f"carried {blob.digest}, {blob.size} bytes in {time.monotonic() - begun:.1f} s")
