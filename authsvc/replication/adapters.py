"""Which kind of registry is asked in which way. Which were tried for real, and which are by their documents alone, says
docs/replication.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from authsvc.core.errors import BadRequest, Unavailable
from authsvc.registries import providers
from authsvc.registries.remote import Opened
from authsvc.replication.answers import objects, text
from authsvc.replication.harbor import Harbor
from authsvc.replication.plain import Plain
from authsvc.replication.rules import literal_names

_PAGE = 100
_MOST_PAGES = 100_000


class DockerHub(Plain):
    """Docker Hub has no catalog; of an account its own API (v2) says what it holds."""

    def repositories(self, pattern: str) -> Iterable[str]:
        named = literal_names(pattern)
        if named is not None:
            return named
        accounts = literal_names(pattern.partition("/")[0])
        if accounts is None:
            raise BadRequest("of Docker Hub only the repositories of an account can be listed: let the name begin with one")
        return [name for account in accounts for name in self._of(account)]

    def _of(self, account: str) -> Iterator[str]:
        for page in range(1, _MOST_PAGES):
            self._look()
            response = self._opened.api.get(f"/v2/repositories/{quote(account)}/?page={page}&page_size={_PAGE}", "")
            said = self._opened.api.json_of(response) if response is not None else None
            if not isinstance(said, dict):
                return
            yield from (f"{account}/{text(row, 'name')}" for row in objects(said.get("results")))
            if not said.get("next"):
                return
        raise Unavailable(f"{self.client.transport.name} comes to no end with the repositories of {account}")


_ADAPTERS: dict[str, type[Plain]] = {providers.HARBOR: Harbor, providers.DOCKER_HUB: DockerHub}


def adapter(opened: Opened, look: Callable[[], object]) -> Plain:
    """What a registry is asked by, as its kind wants it; `look` is called while it is asked much."""
    return _ADAPTERS.get(opened.remote.kind, Plain)(opened, look)
