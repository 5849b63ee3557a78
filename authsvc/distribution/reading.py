"""Reading blobs of any size, in pieces, none of them kept. What breaks off is read on where it was (`Range`), unseen by whoever
gets the pieces. Source: OCI distribution spec 1.1, "Pulling blobs".
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from requests import Response

from authsvc.core.errors import NotFound, Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.transport import FAILURES, Unreadable

PIECE = 256 * 1024
TRIES = 5  # of one blob
PAUSE = 2.0  # seconds between two of them


@dataclass(frozen=True, slots=True)
class Reading:
    """A blob of a repository. `passed` is called after each `piece` (of so many bytes at most), and may take its time."""

    client: RegistryClient
    repository: str
    digest: str
    passed: Callable[[int], None] = lambda _bytes: None
    piece: int = PIECE
    pause: float = PAUSE

    def whole(self) -> tuple[int, Iterator[bytes]]:
        """Its size, and all of it; the last piece comes only when the whole is what the digest says.

        Raises:
            NotFound
            Unavailable: it cannot be had; while it is read, it broke off for good.
            Unreadable: it is something else.
        """
        response = self._ask()
        length = response.headers.get("Content-Length", "")
        if not length.isdigit():
            response.close()
            raise Unreadable(f"{self.client.transport.name} does not say how long blob {self.digest} is")
        if length == "0":
            response.close()
        return int(length), self._verified(self.between(0, int(length), response))

    def between(self, offset: int, end: int, begun: Response | None = None) -> Iterator[bytes]:
        """From one byte to another; `begun`: the answer with the first of them, if it is there.

        Raises:
            NotFound
            Unavailable: it broke off, whatever was tried.
        """
        left = TRIES
        while offset < end:
            try:
                for piece in self._pieces(begun or self._ask(offset, end), offset, end):
                    offset += len(piece)
                    yield piece
                    self.passed(len(piece))
            except Unavailable:
                left -= 1
                if not left:
                    raise
                self._rest()
            begun = None

    def _rest(self) -> None:
        self.passed(0)
        time.sleep(self.pause)

    def _ask(self, offset: int = 0, end: int = 0) -> Response:
        wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-{end - 1}"} if end else {})
        path, scope = f"/v2/{self.repository}/blobs/{self.digest}", f"repository:{self.repository}:pull"
        response: Response | None = self.client.transport.get(path, scope, headers=wanted)
        if response is None:
            raise NotFound(f"{self.client.transport.name} has no blob {self.digest} in {self.repository}")
        return response

    def _pieces(self, response: Response, offset: int, end: int) -> Iterator[bytes]:
        with response:
            skipped = 0 if response.status_code == 206 else offset  # who knows no ranges sends all of it
            at = offset - skipped
            try:
                for piece in response.iter_content(self.piece):
                    kept = piece[max(0, offset - at) : max(0, end - at)]
                    at += len(piece)
                    if kept:
                        yield kept
            except FAILURES as error:
                raise Unavailable(f"a blob of {self.client.transport.name} broke off") from error
        if at < end:
            raise Unavailable(f"a blob of {self.client.transport.name} broke off")

    def _verified(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        algorithm = self.digest.partition(":")[0]
        seen, held = hashlib.new(algorithm), b""
        for piece in pieces:
            if held:
                yield held
            seen.update(piece)
            held = piece
        if f"{algorithm}:{seen.hexdigest()}" != self.digest:
            raise Unreadable(f"what {self.client.transport.name} has as blob {self.digest} is something else")
        if held:
            yield held
