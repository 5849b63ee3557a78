"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from flask import Flask

from authsvc.core.layout import Layout
from authsvc.core.settings import Settings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
GOOD, DOUBTFUL, BAD, SKIPPED = "ok", "warning", "error", "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """`status`: one of the four; `said`: what was seen; `advice`: what to do next, where something is to be done."""

    status: str
    said: str
    advice: str = ""


def good(said: str) -> Finding:
    return Finding(GOOD, said)


def doubtful(said: str, advice: str) -> Finding:
    """It works, and somebody should see to it."""
    return Finding(DOUBTFUL, said, advice)


def bad(said: str, advice: str) -> Finding:
    """Something does not work, or anybody could make use of it."""
    return Finding(BAD, said, advice)


def skipped(why: str) -> Finding:
    """It could not be looked at, for a reason that another check says, or it is of no matter here."""
    return Finding(SKIPPED, why)


@dataclass(frozen=True)
class Patient:
    """What is looked at. `at`: the host where nginx is, if it is another one than this."""

    app: Flask
    settings: Settings
    at: str = ""

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.settings)

    @property
    def nginx(self) -> str:
        """A host where nginx listens, past all that stands before it."""
        host = self.at or self.settings.listen_hosts[0]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - of all addresses one


@dataclass(frozen=True, slots=True)
class Check:
    """One look. `name` is stable, for programs: `<group>.<word>`; `look` never changes anything, and takes a few seconds at
    most."""

    name: str
    look: Callable[[Patient], Finding]

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]
