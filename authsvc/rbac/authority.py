"""What a credential is good for, whatever the rights of who shows it: one table of credentials and doors, closed unless it says
otherwise. Pure; `docs/identity.md` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from authsvc.core.errors import Denied


class Credential(StrEnum):
    """How somebody showed who he is, in words for people. The secrets that we made have the words of their kind."""

    PASSWORD = "password"
    PROVIDER = "login at a provider"
    SESSION = "session"
    CLI = "CLI secret"
    ACCESS = "access token"
    REFRESH = "refresh token of docker login"
    ID_TOKEN = "ID token of a provider"
    ROBOT = "robot's secret"
    JOB_TOKEN = "ID token of a CI job"
    SCAN = "credential of a scan"
    REGISTRY = "registry token"
    NONE = "nothing"


class Door(StrEnum):
    """Where a credential is shown, or what is done with it."""

    TOKEN = "token endpoint"
    REGISTRY = "/v2/"
    API = "API, by permission"
    PAGES = "start of a session"
    SELF_SERVICE = "self service"
    CREDENTIALS = "making credentials"
    OFFLINE = "kept docker login"
    IDENTITIES = "who is let in"


_NOTHING: frozenset[Door] = frozenset()
_DOCKER = frozenset({Door.TOKEN, Door.REGISTRY})
DOORS: dict[Credential, frozenset[Door]] = {
    Credential.PASSWORD: frozenset(Door),
    Credential.PROVIDER: frozenset({Door.PAGES}),
    Credential.SESSION: frozenset({Door.API, Door.SELF_SERVICE, Door.CREDENTIALS, Door.IDENTITIES}),
    Credential.CLI: _DOCKER | {Door.API, Door.SELF_SERVICE},
    Credential.ACCESS: _DOCKER | {Door.API},
    Credential.REFRESH: _DOCKER,
    Credential.ID_TOKEN: frozenset({Door.TOKEN, Door.API}),
    Credential.ROBOT: _DOCKER | {Door.API},
    Credential.JOB_TOKEN: _DOCKER | {Door.API},
    Credential.SCAN: _DOCKER,
    Credential.REGISTRY: frozenset({Door.REGISTRY}),
}


@dataclass(frozen=True, slots=True)
class Authority:
    """The credential that was shown, from where it may be (`networks`, none: from everywhere), until when it is good (epoch
    seconds; None: without end), and which secret of ours it is (0: none)."""

    credential: Credential
    networks: tuple[str, ...] = ()
    expires_at: float | None = None
    secret_id: int = 0

    def opens(self, door: Door) -> bool:
        return door in DOORS.get(self.credential, _NOTHING)

    def require(self, door: Door) -> None:
        """
        Raises:
            Denied: it does not open that.
        """
        if not self.opens(door):
            instead = _listed([known for known, doors in DOORS.items() if door in doors])
            raise Denied(f"{_with_article(self.credential)} is not good for this ({door}); use {instead}")

    def covers(self, expires_at: float | None) -> bool:
        """True if what is made with this credential may live until then (None: without end): no longer than the credential,
        unless it is one with which its owner makes what he likes."""
        if self.opens(Door.CREDENTIALS):
            return True
        if self.credential is Credential.NONE:
            return False
        return self.expires_at is None or (expires_at is not None and expires_at <= self.expires_at)


OWN = Authority(Credential.PASSWORD)
CLOSED = Authority(Credential.NONE)


def table() -> list[list[str]]:
    """The whole table in words: a row of doors, then for each credential a row."""
    rows = [[credential, *("yes" if door in doors else "" for door in Door)] for credential, doors in DOORS.items()]
    return [["", *Door], *rows]


def _listed(credentials: Sequence[Credential]) -> str:
    words = [_with_article(credential) for credential in credentials]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _with_article(credential: Credential) -> str:
    return credential if credential is Credential.NONE else f"{'an' if credential[0] in 'aeioAEIO' else 'a'} {credential}"
