"""The registries that proxy caches fetch from, as one process asks them: connections and tokens are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flask import current_app

from authsvc.core.db import reading
from authsvc.core.errors import TooManyRequests, Unavailable
from authsvc.core.layout import Layout
from authsvc.core.names import project_of
from authsvc.core.own import own
from authsvc.core.places import Taken, place
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.transport import Unexpected, Unreadable
from authsvc.projects import service as projects
from authsvc.proxy_cache import rules
from authsvc.proxy_cache.rules import Terms
from authsvc.registries import remote
from authsvc.registries import service as registries
from authsvc.registries.remote import Remote

_TOO_MANY = 429
_SILENCE = 15  # seconds in which a registry that did not answer is not asked again
_LONGEST_SILENCE = 60  # if it says itself when it wants to be asked again


@dataclass(frozen=True, slots=True)
class Silence:
    """Until when (monotonic seconds) a registry is not asked, and the status that it answered with; 0: it did not."""

    until: float
    status: int = 0

    def trouble(self, name: str) -> Unavailable:
        """What is said meanwhile."""
        seconds = max(1, round(self.until - time.monotonic()))
        what = f"answered {self.status}" if self.status else "did not answer"
        return Unexpected(f"{name} {what} a moment ago; it is asked again in {seconds} s", self.status, retry_after=seconds)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where one repository of a proxy cache comes from: `name` there, by `client`; `known`: what this process knows of such."""

    known: Upstreams
    project_id: int
    repository: str
    name: str
    registry_id: int
    client: RegistryClient
    terms: Terms
    places: Path

    @property
    def is_allowed(self) -> bool:
        return self.terms.allows(self.name)

    @contextmanager
    def asked(self) -> Iterator[RegistryClient]:
        """One request to it, of as many as there may be at once.

        Raises:
            TooManyRequests: there are as many.
            Unavailable: it did not answer a moment ago; or does not, which is remembered for those who come next.
        """
        if (silence := self.known.silence(self.registry_id)) is not None:
            raise silence.trouble(self.client.transport.name)
        try:
            with self._place():
                yield self.client
        except Unreadable:  # it answers; it is this one thing
            self.answered()
            raise
        except Unexpected as error:
            if error.status == _TOO_MANY or error.status >= 500:
                seconds = min(error.retry_after or _SILENCE, _LONGEST_SILENCE)
                self.known.silences[self.registry_id] = Silence(time.monotonic() + seconds, error.status)
            else:
                self.answered()
            raise
        except Unavailable:
            self.known.silences[self.registry_id] = Silence(time.monotonic() + _SILENCE)
            raise
        self.answered()

    def answered(self) -> None:
        """It does, again."""
        self.known.silences.pop(self.registry_id, None)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self.terms.at_once:
            yield
            return
        with ExitStack() as held:
            try:
                held.enter_context(place(self.places, self.terms.at_once, patience=0))
            except Taken:
                message = f"{self.terms.at_once} requests to {self.client.transport.name} at once are allowed"
                raise TooManyRequests(message, retry_after=2) from None
            yield


class Upstreams:
    """Of one process. `silences`: of registries that have no time, by their ids."""

    def __init__(self) -> None:
        self.silences: dict[int, Silence] = {}
        self._lock = threading.Lock()
        self._opened: dict[int, tuple[Remote, RegistryClient, ExitStack]] = {}

    def silence(self, registry_id: int) -> Silence | None:
        """What keeps from asking a registry now; None: nothing does. Of all who come after a silence one asks, while the others
        are told the same as before: a process has few threads, and they would all wait."""
        with self._lock:
            found, now = self.silences.get(registry_id), time.monotonic()
            if found is None or found.until > now:
                return found
            self.silences[registry_id] = replace(found, until=now + _SILENCE)
            return None

    def client(self, registry_id: int, wanted: Remote, networks: tuple[str, ...], name: str) -> RegistryClient:
        """Of a registry as it is configured now."""
        with self._lock:
            known = self._opened.get(registry_id)
            if known is not None and known[0] == wanted:
                return known[1]
            if known is not None:
                self.silences.pop(registry_id, None)
                known[2].close()  # what is being read goes on
            stack = ExitStack()
            client = stack.enter_context(remote.opened(wanted, networks, name)).client
            self._opened[registry_id] = (wanted, client, stack)
            return client


def find(repository: str) -> Upstream | None:
    """Where a repository of ours comes from; None: from nowhere, its project is none that caches."""
    settings: Settings = current_app.config["TIDEGATE"]
    with reading():
        project = projects.find(project_of(repository), is_name=True)
        if project is None or project.registry_id is None:
            return None
        registry = registries.get(project.registry_id)
        wanted, name = registries.remote_of(registry), f"registry {registry.name}"
        project_id, registry_id, metadata = project.id, registry.id, dict(project.settings)
    known = own(Upstreams)
    return Upstream(
        known,
        project_id,
        repository,
        rules.name_there(wanted.kind, repository),
        registry_id,
        known.client(registry_id, wanted, settings.outgoing_allow, name),
        rules.terms(metadata),
        Layout(settings).root / "run" / "upstream" / str(project_id),
    )
