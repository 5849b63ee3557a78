"""What a directory may answer, in our words; nothing here knows how it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class DirectoryDown(Exception):
    """The directory does not answer, or not in time, or not as it must: nobody can be told right from wrong."""


class Busy(DirectoryDown):
    """Nobody asked it, or waited for its answer: others wait already."""


class TooSlow(DirectoryDown):
    """It may still answer, but nobody waits any longer."""


class CutShort(DirectoryDown):
    """The directory gave a part of the truth (size limit); a part of the groups would be a wrong answer."""


class WrongPassword(Exception):
    """The directory refused the name and password. `reason` is for administrators, never for who logs in."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry and the attributes that were asked for, by lower-case name."""

    dn: str
    attributes: Mapping[str, Sequence[Any]]

    def first(self, name: str) -> str:
        """The first value as text; "" if there is none."""
        values = self.texts(name)
        return values[0] if values else ""

    def texts(self, name: str) -> list[str]:
        """All values as text."""
        values = self.attributes.get(name.lower(), ())
        return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]

    def raw(self, name: str) -> bytes:
        """The first value as it came."""
        values = self.attributes.get(name.lower(), ())
        return values[0] if values and isinstance(values[0], bytes) else b""
