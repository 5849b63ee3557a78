"""A remote registry as it is asked: where, trusting whom, by which name and secret, and with which guards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from authsvc.core import connections, outgoing
from authsvc.core.errors import Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.transport import Transport
from authsvc.registries import providers
from authsvc.registries.login import Login, basic


@dataclass(frozen=True, slots=True)
class Remote:
    """Where, whom to trust there, and by which name and secret."""

    kind: str
    url: str
    insecure: bool = False
    ca: str = ""
    key: str = ""
    secret: str = field(default="", repr=False)

    @property
    def auth(self) -> tuple[str, str] | None:
        """Basic credentials, if there are any."""
        return (self.key, self.secret) if self.key or self.secret else None

    @property
    def distribution_url(self) -> str:
        """Where its `/v2/` is."""
        return providers.distribution_url(self.kind, self.url).rstrip("/")


def problem(remote: Remote, networks: Sequence[str]) -> str:
    """What is wrong with a registry; "" if it answers, and takes the credentials. Never holds a secret."""
    try:
        with outgoing.session(networks, verify=not remote.insecure, ca=remote.ca) as session:
            Login(session, remote.kind, remote.distribution_url, remote.auth).require()
    except Unavailable as error:
        return error.message
    except connections.Refused as error:
        return str(error)
    except outgoing.FAILURES as error:
        return f"it cannot be asked ({type(error).__name__})"
    return ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A remote registry that is being used: its `/v2/`, and what it has besides, by name and secret."""

    remote: Remote
    client: RegistryClient
    api: Transport


@contextmanager
def opened(remote: Remote, networks: Sequence[str], name: str) -> Iterator[Opened]:
    """Use a registry for as long as it takes; `name`: what errors call it."""
    with outgoing.lasting_session(networks, verify=not remote.insecure, ca=remote.ca) as session:
        login = Login(session, remote.kind, remote.distribution_url, remote.auth)
        client = RegistryClient(remote.distribution_url, login, session, name)
        yield Opened(remote, client, Transport(remote.url, lambda _: basic(remote.auth), session, name))
