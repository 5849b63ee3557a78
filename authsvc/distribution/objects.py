"""A bucket: objects by their paths, in a store of S3, Google or Azure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from authsvc.core.db import must_be_free
from authsvc.core.errors import Unavailable
from authsvc.distribution.driver import Driver
from authsvc.distribution.storage import nothing

if TYPE_CHECKING:  # it is there for types only
    from obstore import ObjectMeta

_AT_ONCE = 1000  # objects
_ANSWER = re.compile(r"<Code>(\w+)</Code>.*?<Message>([^<]{0,300})", re.DOTALL)


class Objects:
    """What a driver leads to; `name`: as people call it, without what must not be said."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.name = driver.bucket

    @cached_property
    def store(self) -> ObjectStore:
        """Opened by the process that asks: it has threads of its own, which no child of ours would inherit."""
        return self._driver.open()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What is asked inside is answered, or `Unavailable` says why not; outside of transactions."""
        must_be_free("asking a bucket")
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as error:
            raise Unavailable(f"{self.name} does not answer as it should: {_said(error)}") from error

    def paths(self, prefix: str = "") -> Iterator[str]:
        """The paths of all objects below a path.

        Raises:
            Unavailable
        """
        for batch in self.batches(prefix):
            yield from (found["path"] for found in batch)

    def batches(self, prefix: str = "") -> Iterator[Sequence[ObjectMeta]]:
        """All objects below a path, some at a time: path, size and when each was written.

        Raises:
            Unavailable
        """
        with self.answering():
            listed = iter(self.store.list(prefix or None))
        while True:
            with self.answering():  # and not while somebody works on what it answered
                batch = next(listed, None)
            if batch is None:
                return
            yield batch

    def read(self, path: str, limit: int) -> bytes | None:
        """An object of at most so many bytes; None if there is none, or it is larger.

        Raises:
            Unavailable
        """
        try:
            with self.answering():
                found = self.store.get(path)
                return bytes(found.bytes()) if found.meta["size"] <= limit else None
        except FileNotFoundError:
            return None

    def put(self, path: str, data: bytes) -> None:
        """Let an object be there, with these bytes.

        Raises:
            Unavailable
        """
        with self.answering():
            self.store.put(path, data)

    def below(self, prefix: str = "") -> list[str]:
        """The names of what looks like directories there.

        Raises:
            Unavailable
        """
        with self.answering():
            found = self.store.list_with_delimiter(prefix or None)["common_prefixes"]
        return [path.rstrip("/").rpartition("/")[2] for path in found]

    def remove(self, paths: Iterable[str], keep_going: Callable[[], None] = nothing) -> None:
        """Remove objects; those that are gone already are no error. `keep_going` is asked before each thousand.

        Raises:
            Unavailable
        """
        waiting = iter(paths)
        while some := list(islice(waiting, _AT_ONCE)):
            keep_going()  # listing them may have taken long
            with self.answering():
                self.store.delete(some)


def _said(error: Exception) -> str:
    """The store's own words, or the client's about what came instead; not what was asked."""
    if (answer := _ANSWER.search(str(error))) is not None:
        return f"{answer[1]}: {answer[2]}"
    return " ".join(str(error).partition("Debug source")[0].rpartition(" - ")[2].split())[:300]
