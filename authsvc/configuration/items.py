"""Harbor's configuration items: name, type, default and limits, as data. Source: Harbor's configuration API. Pure.

Items of directories and providers (`ldap_*`, `oidc_*`) and `auth_mode` are in `authn.configuration`, which shows identity
sources under these names. Items of what we do not have (UAA, auth proxy) can be written back as they are read, and not be
set: what is stored is obeyed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authsvc.core.errors import BadRequest
from authsvc.core.trust import check_authorities

READ_ONLY = "The system is in read only mode. Any modification is prohibited."  # Harbor's words
_MAX_INT = 9_999_999_999  # Harbor's: at most ten digits
_MAX_TEXT = 16 * 1024
_HOSTS = re.compile(r"\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Item:
    """One item; `check` raises BadRequest for a value of the right type that cannot be used. `secret`: a password or key."""

    type: type
    default: Any
    check: Callable[[str, Any], None] | None = None
    secret: bool = False

    def parse(self, name: str, value: Any) -> Any:
        """The value in its type; JSON's own, or as text (Harbor's clients send both).

        Raises:
            BadRequest: it is of another type, too long, or not among what can be said.
        """
        parsed = _PARSERS[self.type](value)
        if parsed is None:
            raise BadRequest(f"{name} must be of type {self.type.__name__}")
        if self.check is not None:
            self.check(name, parsed)
        return parsed


def typed(items: Mapping[str, Item], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, in the items' types; null is as if it were not given.

    Raises:
        BadRequest: a value cannot be used, or there is no such item.
    """
    if unknown := sorted(name[:64] for name in given.keys() - items.keys()):
        raise BadRequest(f"there is no item {', '.join(unknown)}")
    return {name: items[name].parse(name, value) for name, value in given.items() if value is not None}


def values_of(items: Mapping[str, Item], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every item: as given, in its type and without blanks around it (but for secrets), or its default if that is nothing.

    Raises:
        BadRequest
    """
    found = {}
    for name, value in ({name: item.default for name, item in items.items()} | typed(items, given)).items():
        stripped = value.strip() if isinstance(value, str) and not items[name].secret else value
        found[name] = items[name].default if stripped == "" else stripped
    return found


def written(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as a form has them."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}


def _bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _int(value: Any) -> int | None:
    if isinstance(value, str) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        value = int(value)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) and abs(value) < 2**63 else None


def _text(value: Any) -> str | None:
    if isinstance(value, dict):
        value = json.dumps(value)
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT and "\0" not in value else None


_PARSERS: dict[type, Callable[[Any], Any]] = {bool: _bool, int: _int, str: _text}


def _one_of(*values: Any) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if value not in values:
            raise BadRequest(f"{name} must be one of {', '.join(str(known) for known in values)}")

    return check


def _not_served(what: str, default: Any) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if value != default:
            raise BadRequest(f"{name} cannot be set: {what}")

    return check


def _positive(name: str, value: int) -> None:
    if not 0 < value <= _MAX_INT:
        raise BadRequest(f"{name} must be a number from 1 to {_MAX_INT}")


def _not_blank(name: str, value: str) -> None:
    if not value.strip():
        raise BadRequest(f"{name} cannot be empty")


def _quota(name: str, value: int) -> None:
    if value != -1 and value <= 0:
        raise BadRequest(f"{name} must be -1 (no limit) or a number of bytes above 0")


def _token_minutes(name: str, value: int) -> None:
    if not 1 <= value <= 60:
        raise BadRequest(f"{name} must be 1 to 60 minutes: a token cannot be taken back on blobs")


def _robot_prefix(name: str, value: str) -> None:
    """It must set itself apart from the name after it. Names that begin with it, or with its shell-safe form, are no names for
    people (`users.service`), or robots and people could be taken for each other."""
    _not_blank(name, value)
    apart = "$" in value or not value[-1].isalnum()
    if len(value) > 32 or not apart or any(character in value for character in ':+," ~#%\t\n'):
        raise BadRequest(f'{name} must hold a $ or end in a character such as - or @, and hold none of : + , " ~ # % or blanks')


def _json_object(name: str, value: str) -> None:
    try:
        parsed = json.loads(value or "{}")
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise BadRequest(f"{name} must be a JSON object as text")


def _hosts(name: str, value: str) -> None:
    if any(not _HOSTS.fullmatch(host.strip().lower()) for host in value.split(",") if value.strip()):
        raise BadRequest(f"{name} must be names of hosts such as mcr.microsoft.com or *.microsoft.com, separated by commas, or *")


_UAA = "people of UAA log in by OpenID Connect (oidc_endpoint)"
_PROXY = "there is no login by an authenticating proxy; OpenID Connect and LDAP are served"

ITEMS: dict[str, Item] = {
    "primary_auth_mode": Item(bool, False),
    "scan_all_policy": Item(str, "", _json_object),
    "project_creation_restriction": Item(str, "everyone", _one_of("everyone", "adminonly")),
    "read_only": Item(bool, False),
    "self_registration": Item(bool, False),
    "self_registration_approval": Item(bool, False),  # ours: an administrator enables each who registers
    "token_expiration": Item(int, 5, _token_minutes),
    "uaa_client_id": Item(str, "", _not_served(_UAA, "")),
    "uaa_endpoint": Item(str, "", _not_served(_UAA, "")),
    "uaa_verify_cert": Item(bool, False, _not_served(_UAA, False)),
    "http_authproxy_endpoint": Item(str, "", _not_served(_PROXY, "")),
    "http_authproxy_tokenreview_endpoint": Item(str, "", _not_served(_PROXY, "")),
    "http_authproxy_admin_groups": Item(str, "", _not_served(_PROXY, "")),
    "http_authproxy_admin_usernames": Item(str, "", _not_served(_PROXY, "")),
    "http_authproxy_verify_cert": Item(bool, True, _not_served(_PROXY, True)),
    "http_authproxy_skip_search": Item(bool, False, _not_served(_PROXY, False)),
    "http_authproxy_server_certificate": Item(str, "", _not_served(_PROXY, "")),
    "robot_token_duration": Item(int, 30, _positive),
    "robot_name_prefix": Item(str, "robot$", _robot_prefix),
    "notification_enable": Item(bool, True),
    "quota_per_project_enable": Item(bool, True),
    "storage_per_project": Item(int, -1, _quota),
    "pull_time_update_disable": Item(bool, False),
    "pull_count_update_disable": Item(bool, False),
    "pull_audit_log_disable": Item(bool, False),
    "audit_log_forward_endpoint": Item(str, ""),
    "audit_log_forward_ca": Item(str, "", check_authorities),  # ours: whom to trust there, besides the system's authorities
    "skip_audit_log_database": Item(bool, False),
    "scanner_skip_update_pulltime": Item(bool, False),
    "disabled_audit_log_event_types": Item(str, ""),
    "session_timeout": Item(int, 60, _positive),
    "banner_message": Item(str, "", _json_object),
    "foreign_layer_hosts": Item(str, "*.microsoft.com", _hosts),  # ours: from where layers may come that are not stored here
}
