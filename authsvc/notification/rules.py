"""What a webhook policy may say. Source: Harbor's webhook policies. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

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
TEAMS, DINGTALK, WECOM, FEISHU, DISCORD = "teams", "dingtalk", "wecom", "feishu", "discord"  # ours
DEFAULT, CLOUD_EVENTS = "Default", "CloudEvents"
FORMATS = {HTTP: (DEFAULT, CLOUD_EVENTS), **dict.fromkeys((SLACK, TEAMS, DINGTALK, WECOM, FEISHU, DISCORD), (DEFAULT,))}
MAX_TARGETS = 10
SECRETS = ("auth_header", "secret")  # fields of a target that nobody sees again


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, in what form, with which Authorization header, and signed by what."""

    type: str
    address: str
    payload_format: str
    skip_cert_verify: bool
    auth_header: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


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
    if target.type != HTTP and target.payload_format:
        raise BadRequest(f"set payload format is not allowed for {target.type}")
    if target.payload_format and target.payload_format not in FORMATS[target.type]:
        raise BadRequest(f"unsupported payload format type {target.payload_format[:64]}")
    for name, value in (("auth_header", target.auth_header), ("secret", target.secret)):
        if not value.isprintable() or not value.isascii():
            raise BadRequest(f"{name} is one line of printable characters")


def shown(type_: str, address: str) -> str:
    """Where a target is, as logs say it: an address of a chat is all that it takes to write there."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc, parts.path if type_ == HTTP else "", "", ""))


def unmasked(target: Target, stored: Sequence[Target], mask: str) -> Target:
    """A target that comes back: what is masked is as it was, if it was for this address."""
    known = next((one for one in stored if (one.type, one.address) == (target.type, target.address)), None)
    secrets: dict[str, Any] = {name: getattr(known, name, "") for name in SECRETS if getattr(target, name) == mask}
    return replace(target, **secrets)
