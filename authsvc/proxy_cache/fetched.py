"""Manifests that one process fetched from elsewhere a moment ago: of all who ask for the same at once, one asks there, since
registries count manifests."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from authsvc.distribution.client import Content

Key = tuple[int, str, str]
_MOST = 64
_LARGEST = 256 * 1024  # bytes of one that is remembered


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    content: Content | None = None


class Fetched:
    """By project, repository and digest, so that what is known stays true."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def get(self, key: Key, fetch: Callable[[], Content | None]) -> Content | None:
        """What is known, or what `fetch` brings, which may raise; who comes meanwhile waits for it."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            if len(self._entries) > _MOST:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.content is not None:
                return entry.content
            content = fetch()
            if content is not None and len(content.data) <= _LARGEST:
                entry.content = content
            return content
