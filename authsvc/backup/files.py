"""Files that are long: read while somebody is asked whether to go on, and on the disk when they are said to be."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

# Asked now and then; ends it all by whatever it raises.
KeepGoing = Callable[[], None]
Log = Callable[[str], None]

_PIECE = 1024 * 1024  # bytes


class Watched:
    """A file that is read, and asks each time whether to go on."""

    def __init__(self, file: IO[bytes], keep_going: KeepGoing) -> None:
        self._file, self._keep_going = file, keep_going

    def read(self, size: int = -1) -> bytes:
        self._keep_going()
        return self._file.read(size)


class Hashed(Watched):
    """The same, hashed as well."""

    def __init__(self, file: IO[bytes], algorithm: str, keep_going: KeepGoing) -> None:
        super().__init__(file, keep_going)
        self._hash = hashlib.new(algorithm)

    def read(self, size: int = -1) -> bytes:
        piece = super().read(size)
        self._hash.update(piece)
        return piece

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def sha256(file: Path, keep_going: KeepGoing = lambda: None) -> str:
    """Of a file."""
    with file.open("rb") as opened:
        hashed = Hashed(opened, "sha256", keep_going)
        while hashed.read(_PIECE):
            pass
    return hashed.hexdigest


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
