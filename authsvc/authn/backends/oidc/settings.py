"""What a provider's settings mean: Harbor's items, and ours where Harbor has none. Parsed once, at the border. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from authsvc.core.errors import BadRequest

_MAX_PATTERN = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """One provider. `label` stands on the login page."""

    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    verify: bool
    ca: str
    auto_onboard: bool
    user_claim: str
    groups_claim: str
    admin_group: str
    group_filter: str
    extra: tuple[tuple[str, str], ...]
    logout: bool


def parse(given: Mapping[str, Any]) -> OidcSettings:
    """Stored or posted settings as one frozen object.

    Raises:
        BadRequest: the text names the item.
    """

    def text(name: str, default: str = "") -> str:
        value = given.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{name} must be a text")
        return (value or "").strip() or default

    issuer = text("oidc_endpoint").rstrip("/").removesuffix("/.well-known/openid-configuration")
    parts = urlsplit(issuer)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest("oidc_endpoint must be the provider's issuer, such as https://login.example.com/realms/main")
    if not text("oidc_client_id"):
        raise BadRequest("oidc_client_id cannot be empty")
    scope = text("oidc_scope", "openid profile email").replace(",", " ")
    if "openid" not in scope.split():
        raise BadRequest("oidc_scope must hold openid")
    return OidcSettings(
        label=text("oidc_name", parts.hostname),
        issuer=issuer,
        client_id=text("oidc_client_id"),
        client_secret=text("oidc_client_secret"),
        scope=scope,
        verify=bool(given.get("oidc_verify_cert", True)),
        ca=text("oidc_ca"),
        auto_onboard=bool(given.get("oidc_auto_onboard", False)),
        user_claim=text("oidc_user_claim", "preferred_username"),
        groups_claim=text("oidc_groups_claim"),
        admin_group=text("oidc_admin_group"),
        group_filter=_pattern(text("oidc_group_filter")),
        extra=_extra(text("oidc_extra_redirect_parms", "{}")),
        logout=bool(given.get("oidc_logout", False)),
    )


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise BadRequest(f"oidc_group_filter is no regular expression: {error}") from None
    if len(text) > _MAX_PATTERN:
        raise BadRequest(f"oidc_group_filter has at most {_MAX_PATTERN} characters")
    return text


def _extra(text: str) -> tuple[tuple[str, str], ...]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise BadRequest("oidc_extra_redirect_parms must be a JSON object of texts")
    return tuple(given.items())
