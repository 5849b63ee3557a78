"""What is to be copied of a repository: what is wanted there, compared with what is there, by digest. No manifest is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authsvc.core import names
from authsvc.replication.ends import Destination
from authsvc.replication.rules import Found


@dataclass(frozen=True, slots=True)
class Item:
    """An artifact that is to be there, with the tags that it is to have; without any it is held by its digest."""

    digest: str
    tags: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the queue."""
        return {"digest": self.digest, "tags": list(self.tags)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Item:
        """What `as_json` said."""
        return cls(said["digest"], tuple(said["tags"]))


@dataclass(frozen=True, slots=True)
class Compared:
    """`lacking`: what is not there, or not with all of its tags: these only; `excepted`: what is not to be changed, and why."""

    looked: int
    lacking: Sequence[Item]
    excepted: Sequence[str] = ()

    @property
    def equal(self) -> int:
        """How many are as they are to be."""
        return self.looked - len(self.lacking) - len(self.excepted)


def items(chosen: Iterable[Found]) -> list[Item]:
    """What was chosen, each followed by what is attached to it. What another registry calls a digest or a tag and is none would
    be a path of ours: it is left out."""
    tags: dict[str, dict[str, None]] = {}
    for found in chosen:
        for one in (found, *found.attached):
            named = [tag for tag in one.tags if names.is_tag(tag)]
            if names.is_digest(one.digest) and bool(named) is bool(one.tags):
                tags.setdefault(one.digest, {}).update(dict.fromkeys(named))
    return [Item(digest, tuple(named)) for digest, named in tags.items()]


def compare(destination: Destination, repository: str, wanted: Sequence[Item], *, override: bool) -> Compared:
    """Ask what is there. `override`: tags that are there on something else are moved.

    Raises:
        Unavailable
    """
    present = destination.tags(repository, [tag for item in wanted for tag in item.tags])
    held = destination.held(repository, [item.digest for item in wanted if not item.tags])
    lacking, excepted = [], []
    for item in wanted:
        other = [tag for tag in item.tags if present.get(tag, item.digest) != item.digest]
        if other and not override:
            excepted.append(f"{repository}:{other[0]} is something else there, and nothing is to be overridden")
            continue
        missing = tuple(tag for tag in item.tags if present.get(tag) != item.digest)
        if missing or not (item.tags or item.digest in held):
            lacking.append(Item(item.digest, missing))
    return Compared(len(wanted), lacking, excepted)
