"""What a scanner pulls with: good for one repository and a short while, and kept nowhere. It is not a robot's, whose coming and
going would be a change of policy with every scan.

The text is `tgv_`, what it says as base64url, a dot, and its signature.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from authsvc.core.names import INTERNAL_PREFIX
from authsvc.core.sealing import signature
from authsvc.rbac.authority import Authority, Credential
from authsvc.rbac.permissions import Action, Permission, Resource, permissions
from authsvc.rbac.principal import Principal

PREFIX = "tgv_"
USERNAME = "scanner"
# As pulls of our own processes, those of scanners do not count.
NAME = f"{INTERNAL_PREFIX}scanner"
_PURPOSE = "scan"
_PULL = permissions(Resource.REPOSITORY, Action.PULL)
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Scan:
    """What a credential is good for; `until` in epoch seconds."""

    project_id: int
    repository: str
    until: int


def issue(project_id: int, repository: str, seconds: int) -> str:
    """A credential for pulling one repository (full name), for so many seconds from now."""
    said = urlsafe_b64encode(orjson.dumps([project_id, repository, int(time.time()) + seconds])).decode()
    return f"{PREFIX}{said}.{_sign(said)}"


def basic(credential: str) -> str:
    """The Authorization header by which it is shown."""
    return "Basic " + b64encode(f"{USERNAME}:{credential}".encode()).decode()


def read(secret: str) -> Scan | None:
    """What a credential is good for; None if it is not one of ours, or has ended."""
    if not secret.startswith(PREFIX) or len(secret) > _LONGEST or not secret.isascii():
        return None
    said, _, signed = secret.removeprefix(PREFIX).partition(".")
    if not hmac.compare_digest(_sign(said), signed):
        return None
    scan = Scan(*orjson.loads(urlsafe_b64decode(said)))
    return scan if scan.until > time.time() else None


def scanner(repositories: Iterable[tuple[int, str]], expires_at: float | None = None) -> Principal:
    """Who pulls with it: project ids and repositories (full names). Not even what everybody may in other projects."""
    bound: dict[int, dict[str, frozenset[Permission]]] = {}
    for project_id, name in repositories:
        bound.setdefault(project_id, {})[name.partition("/")[2]] = _PULL
    return Principal(
        kind="scanner",
        id=0,
        name=NAME,
        permissions=dict.fromkeys(bound, _PULL),
        limits=dict.fromkeys(bound, _PULL),
        repositories=bound,
        authority=Authority(Credential.SCAN, expires_at=expires_at),
    )


def _sign(said: str) -> str:
    return urlsafe_b64encode(signature(_PURPOSE, said)).decode().rstrip("=")
