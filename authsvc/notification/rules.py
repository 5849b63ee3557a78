"""What a webhook policy may say. Source: Harbor's webhook policies. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from authsvc.core.errors import BadRequest

EVENT_TYPES = (
    "DELETE_ARTIFACT",
    "PULL_ARTIFACT",
    "PUSH_ARTIFACT",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "REPLICATION",
    "SCANNING_COMPLETED",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "TAG_RETENTION",
)
HTTP, SLACK = "http", "slack"
FORMATS = {HTTP: ("Default", "CloudEvents"), SLACK: ("Default",)}
MAX_TARGETS = 10


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, in what form, and with which Authorization header."""

    type: str
    address: str
    payload_format: str
    skip_cert_verify: bool
    auth_header: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy as somebody asks for it."""

    name: str
    description: str
    targets: tuple[Target, ...]
    event_types: tuple[str, ...]
    enabled: bool


def check(wanted: Wanted) -> None:
    """Everything but the addresses.

    Raises:
        BadRequest
    """
    if not 1 <= len(wanted.name) <= 255 or not wanted.name.isprintable() or wanted.name != wanted.name.strip():
        raise BadRequest("the name of a webhook policy has 1 to 255 characters")
    if not wanted.targets:
        raise BadRequest("empty notification target with policy " + wanted.name)
    if len(wanted.targets) > MAX_TARGETS:
        raise BadRequest(f"a webhook policy has at most {MAX_TARGETS} targets")
    _check_events(wanted)
    for target in wanted.targets:
        _check_target(target)


def _check_events(wanted: Wanted) -> None:
    if not wanted.event_types:
        raise BadRequest("empty event type")
    if unknown := [name for name in wanted.event_types if name not in EVENT_TYPES]:
        raise BadRequest(f"unsupported event type {unknown[0][:64]}")


def _check_target(target: Target) -> None:
    if target.type not in FORMATS:
        raise BadRequest(f"unsupported notify type {target.type[:64]}")
    if target.type == SLACK and target.payload_format:
        raise BadRequest("set payload format is not allowed for slack")
    if target.payload_format and target.payload_format not in FORMATS[target.type]:
        raise BadRequest(f"unsupported payload format type {target.payload_format[:64]}")
    if not target.auth_header.isprintable() or not target.auth_header.isascii():
        raise BadRequest("an auth_header is one line of printable characters")


def kept_header(target: Target, stored: Sequence[Target], mask: str) -> str:
    """The Authorization header of a target that comes back: masked means as it was, if it was for this address."""
    if target.auth_header != mask:
        return target.auth_header
    return next((known.auth_header for known in stored if (known.type, known.address) == (target.type, target.address)), "")
