"""Blobs of any size on their way from one registry to another: read and sent in pieces, none of them kept.

What breaks off on the side that is written to goes on where that registry says it was, if it says so; registry 2.8 does not, and
gets it anew. Of the other side see `distribution.reading`.
Source: OCI distribution spec 1.1, "Pushing blobs", "Mounting a blob from another repository".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from requests import Response

from authsvc.core import attended
from authsvc.core.errors import Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.reading import PAUSE, PIECE, TRIES, Reading
from authsvc.distribution.transport import Refused

_END = 900.0  # seconds for the end of an upload, at which a registry looks at everything again
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Way:
    """One blob of `size` bytes from a repository to a repository. `passed` is called after each `piece` (of so many bytes
    at most), and may take its time; `chunk`: bytes of one request, 0 for all in one."""

    source: RegistryClient
    source_repository: str
    target: RegistryClient
    target_repository: str
    digest: str
    size: int
    passed: Callable[[int], None] = lambda _bytes: None
    chunk: int = 0
    piece: int = PIECE
    pause: float = PAUSE

    def carry(self, mount_from: str = "") -> bool:
        """Bring it there; True if no byte had to be carried, since the target had it in the repository `mount_from`.

        Raises:
            NotFound: the source has no such blob.
            Refused: the target will not have it.
            Unavailable: one of the two does not answer, whatever was tried.
        """
        for left in reversed(range(TRIES)):
            started = self._start(mount_from)
            if started.status_code == 201:
                return True
            try:
                self._send(self.target.transport.location(started))
                return False
            except (Unavailable, Refused) as error:
                if not left or (isinstance(error, Refused) and error.status not in (404, 416)):
                    raise
                self._rest()
        raise AssertionError("the last try returns or raises")

    def _start(self, mount_from: str) -> Response:
        path, scope = f"/v2/{self.target_repository}/blobs/uploads/", self._scope
        if not mount_from:
            return self.target.transport.write("POST", path, scope, 202)
        mounting = f"{path}?mount={self.digest}&from={mount_from}"
        try:
            return self.target.transport.write("POST", mounting, f"{scope} repository:{mount_from}:pull", 201, 202)
        except Refused:  # it is not ours to read there
            return self.target.transport.write("POST", path, scope, 202)

    def _send(self, upload: str) -> None:
        offset = 0
        while offset < self.size:
            end = min(offset + self.chunk, self.size) if self.chunk else self.size
            body = _Body(self._pieces(offset, end), end - offset)
            headers = {"Content-Range": f"{offset}-{end - 1}"} if self.chunk or offset else {}
            try:
                sent = self._write("PATCH", upload, 202, data=body, headers=headers)
                upload, offset = self.target.transport.location(sent), end
            except Unavailable:
                self._rest()  # until it has noticed, too
                try:
                    upload, reached = self._progress(upload)
                except Refused:
                    reached = 0
                if reached <= offset:
                    raise
                offset = reached
        closing = f"{upload}{'&' if '?' in upload else '?'}digest={self.digest}"
        attended.each(lambda path: self._write("PUT", path, 201, data=b"", patience=_END), [closing], lambda: self.passed(0))

    def _progress(self, upload: str) -> tuple[str, int]:
        """Where an upload goes on, and at which byte.

        Raises:
            Unavailable, Refused: the target does not say.
        """
        said = self._write("GET", upload, 204)
        found = _RANGE.fullmatch(said.headers.get("Range", ""))
        last = int(found[1]) if found else 0
        return self.target.transport.location(said), last + 1 if last else 0  # `0-0` is said of nothing, too

    def _pieces(self, offset: int, end: int) -> Iterator[bytes]:
        reading = Reading(self.source, self.source_repository, self.digest, self.passed, self.piece, self.pause)
        return reading.between(offset, end)

    def _rest(self) -> None:
        self.passed(0)
        time.sleep(self.pause)

    def _write(self, method: str, path: str, expected: int, **what: object) -> Response:
        media_type = "application/octet-stream" if method != "GET" else ""
        return self.target.transport.write(method, path, self._scope, expected, media_type=media_type, **what)

    @property
    def _scope(self) -> str:
        return f"repository:{self.target_repository}:pull,push"


class _Body:
    """What is sent, with its length, which some registries insist on."""

    def __init__(self, pieces: Iterator[bytes], length: int) -> None:
        self._pieces, self._length = pieces, length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces
