"""Files out of layers that strangers made: a few small ones by name, however large or twisted the archive is. Pure.

A layer may be a bomb: megabytes that unpack to terabytes, a million entries, links to elsewhere. So it is read as a stream,
nothing is written anywhere, only regular files are looked at, and reading ends after so many bytes and entries.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable

MAX_FILE = 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024
MAX_ENTRIES = 10_000


class ArchiveInvalid(ValueError):
    """No archive, or one that is too much; the text says why."""


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, inner: io.BufferedIOBase, limit: int) -> None:
        self._inner, self._left = inner, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(min(size if size >= 0 else self._left + 1, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveInvalid(f"the layer unpacks to more than {MAX_UNPACKED} bytes")
        return data


def read_files(layer: bytes, wanted: Callable[[str], str | None]) -> dict[str, bytes]:
    """The files of a tar, packed by gzip or not, for which `wanted` turns the path into a name; the first of each name.

    Raises:
        ArchiveInvalid
    """
    found: dict[str, bytes] = {}
    try:
        raw: io.BufferedIOBase = io.BytesIO(layer)
        unpacked = gzip.GzipFile(fileobj=raw) if layer[:2] == b"\x1f\x8b" else raw
        with tarfile.open(fileobj=_Bounded(unpacked, MAX_UNPACKED), mode="r|") as archive:
            for number, entry in enumerate(archive):
                if number >= MAX_ENTRIES:
                    raise ArchiveInvalid(f"the layer has more than {MAX_ENTRIES} entries")
                name = wanted(entry.name.removeprefix("./")) if entry.isreg() else None
                if name is not None and name not in found:
                    found[name] = _content(archive, entry)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise (
            error if isinstance(error, ArchiveInvalid) else ArchiveInvalid("the layer is no archive that can be read")
        ) from error
    return found


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry) if entry.size <= MAX_FILE else None
    if file is None:
        raise ArchiveInvalid(f"{entry.name[:100]} is larger than {MAX_FILE} bytes")
    return file.read()
