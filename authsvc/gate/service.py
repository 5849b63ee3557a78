"""What the gate is made of in one process: built once, in `app`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from authsvc.core.settings import Settings
from authsvc.gate import answers
from authsvc.gate.asked import Asked
from authsvc.gate.callers import Callers
from authsvc.gate.checks import Checks
from authsvc.gate.copies import Hand
from authsvc.gate.writes import Writer
from authsvc.rbac.principal import Principal, ProjectRef


class Elsewhere(Protocol):
    """What a registry has whose images a project of ours caches; nothing, if it does not answer."""

    def tags(self, repository: str) -> Collection[str]:
        """Of our name of a repository."""

    def referrers(self, repository: str, digest: str) -> Collection[Mapping[str, Any]]:
        """Descriptors of what names a digest as its subject there, if the project wants that."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who calls, what is asked of whom, the way that writes take, and what is elsewhere."""

    settings: Settings
    callers: Callers
    checks: Checks
    writer: Writer
    elsewhere: Elsewhere

    def hand(self, who: Principal, project: ProjectRef) -> Hand:
        """What writes for the API and pages, for somebody who was asked about already."""
        return Hand(self.writer, who, project, self.callers.snapshots.current())

    def challenge(self, asked: Asked | None, error: str, mirror: str = "") -> str:
        """The challenge for a request that has to come again with a token; `mirror`: the host that it came to, where names stand
        without the project."""
        project = self.settings.mirrors.get(mirror, "")
        scope = asked.scope_without(project) if asked else ""
        return answers.challenge(self.settings.realm_at(mirror), self.settings.token_service, scope, error)
