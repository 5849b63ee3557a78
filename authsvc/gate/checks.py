"""What the gate asks of each rule, and how a rule refuses. Frozen data; the rules are in `wiring`, in their order.

A check is a function in a feature's `check.py`. It answers None (let it in, as far as I am concerned) or a `Refusal`; the
first refusal ends the matter. An exception refuses, too: who cannot look cannot allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from authsvc.distribution.manifest import Manifest
from authsvc.rbac.permissions import Action, Permission, Resource
from authsvc.rbac.policy import can
from authsvc.rbac.principal import Principal, ProjectRef

_PUSH = Permission(Resource.REPOSITORY, Action.PUSH)
_SIGNERS = ("cosign", "notation")  # how clients that sign call themselves


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no. `message` is Harbor's sentence where Harbor has one; `rule` names what decided ("immutable tag rule 7"), and
    `help` says who can do something about it. Clients print all three, and the decision's id.

    `status` and `code` are HTTP's and the registry's (OCI distribution spec, "Error Codes"); `retry_after` in seconds; `event`:
    Harbor's event by which webhooks are told of it.
    """

    status: int
    code: str
    message: str
    rule: str
    help: str = ""
    retry_after: int | None = None
    event: str = ""


class Refused(Exception):
    """A refusal on its way out. `challenge` is the error of an authentication challenge ("invalid_token",
    "insufficient_scope", "" for none) that goes with a 401; None: no challenge. `facts`: what the checks were asked."""

    def __init__(self, refusal: Refusal, challenge: str | None = None, facts: dict[str, Any] | None = None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.challenge = challenge
        self.facts = facts or {}


class Absent(Refused):
    """What is asked for is not to be had: nobody has decided anything, so there is no decision to be looked up."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Let in, and counted as that many `bytes` of the project until what became of the write is recorded."""

    bytes: int


@dataclass(frozen=True, slots=True)
class ManifestWrite:
    """A PUT or DELETE of a manifest. Asked within the transaction that lets it in, which holds the project's row: of one
    project, one write at a time is decided, and what a check reads from the database is what is true.

    `repository` is the full name, `reference` a tag or digest. `manifest`: what is to be stored; None for DELETE.
    `displaces`: tags that exist and that this write would move, rewrite or take away. `in_flight`: bytes that were reserved
    for other writes to the project that are let in and not recorded yet. `configured`: the value of a configuration item.
    """

    principal: Principal
    project: ProjectRef
    repository: str
    reference: str
    method: Literal["PUT", "DELETE"]
    manifest: Manifest | None
    displaces: tuple[str, ...]
    in_flight: int
    configured: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class BlobWrite:
    """A step of a blob's upload, a mount, or a blob's deletion. Asked outside of any transaction, in the processes that only
    read: `execute` runs a SELECT with its values (`core.direct.DirectReader.execute`).

    `digest` "" until it is known, so a DELETE without one gives up an upload; `source`: the repository to mount from; `size`:
    of the request's body, None if unknown.
    """

    principal: Principal
    project: ProjectRef
    repository: str
    method: str
    digest: str
    source: str
    size: int | None
    configured: Callable[[str], Any]
    execute: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ManifestRead:
    """A GET or HEAD of a manifest; asked as `BlobWrite` is. `by_token`: by a registry token, not a password."""

    principal: Principal
    project: ProjectRef
    repository: str
    reference: str
    method: str
    user_agent: str
    by_token: bool
    configured: Callable[[str], Any]
    execute: Callable[..., Any]

    @property
    def is_exempt(self) -> bool:
        """From what a project says of images that may not be pulled: whoever scans has to pull first, and so has whoever signs;
        Harbor lets the tokens of system administrators pass as well."""
        who = self.principal
        if who.kind == "scanner" or (who.is_sysadmin and self.by_token):
            return True
        return any(signer in self.user_agent for signer in _SIGNERS) and can(who, _PUSH, self.project, self.repository)


@dataclass(frozen=True, slots=True)
class CacheRead:
    """A GET or HEAD in a project that caches the images of another registry: of a manifest by tag or digest, or of a blob."""

    repository: str
    reference: str
    is_blob: bool
    execute: Callable[..., Any]


WriteCheck = Callable[[ManifestWrite], Refusal | Reservation | None]
UploadCheck = Callable[[BlobWrite], Refusal | None]
ReadCheck = Callable[[ManifestRead], Refusal | None]
CacheCheck = Callable[[CacheRead], bool]


@dataclass(frozen=True, slots=True)
class Checks:
    """All of them, in their order: `wiring` says which. `is_here`: whether our own registry has it, as it is there now."""

    writes: Sequence[WriteCheck] = ()
    uploads: Sequence[UploadCheck] = ()
    reads: Sequence[ReadCheck] = ()
    is_here: CacheCheck = lambda _: True

    def write(self, question: ManifestWrite) -> int:
        """Ask about a write; returns the bytes to reserve.

        Raises:
            Refused: by the first that refuses.
        """
        reserved = 0
        for check in self.writes:
            answer = check(question)
            if isinstance(answer, Refusal):
                raise Refused(answer)
            if isinstance(answer, Reservation):
                reserved += answer.bytes
        return reserved

    def upload(self, question: BlobWrite) -> None:
        """Ask about a step of an upload, or the deletion of a blob.

        Raises:
            Refused
        """
        for check in self.uploads:
            if refusal := check(question):
                raise Refused(refusal)

    def read(self, question: ManifestRead) -> None:
        """Ask about a read of a manifest.

        Raises:
            Refused
        """
        for check in self.reads:
            if refusal := check(question):
                raise Refused(refusal)
