"""What a provider's settings mean: Harbor's items, and ours where Harbor has none. Parsed once, at the border. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from authsvc.configuration.items import Item, values_of
from authsvc.core.errors import BadRequest

_MAX_PATTERN = 256
_MAX_ISSUER = 250  # with a subject of 255 characters it fits where people's origins are stored

ITEMS: dict[str, Item] = {
    "oidc_name": Item(str, ""),
    "oidc_endpoint": Item(str, ""),
    "oidc_client_id": Item(str, ""),
    "oidc_client_secret": Item(str, "", secret=True),
    "oidc_groups_claim": Item(str, ""),
    "oidc_admin_group": Item(str, ""),
    "oidc_group_filter": Item(str, ""),
    "oidc_scope": Item(str, ""),
    "oidc_user_claim": Item(str, ""),
    "oidc_verify_cert": Item(bool, True),
    "oidc_auto_onboard": Item(bool, False),
    "oidc_extra_redirect_parms": Item(str, "{}"),
    "oidc_logout": Item(bool, False),
}
HARBORS = frozenset(ITEMS)  # the rest is ours
ITEMS |= {"oidc_ca": Item(str, "")}


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

    @property
    def offline(self) -> bool:
        """True if people may be asked about when they are gone from their browsers (`offline_access`, or what Google has for it):
        other refresh tokens end with the session at the provider, which says nothing of the account."""
        return "offline_access" in self.scope.split() or ("access_type", "offline") in self.extra


def parse(given: Mapping[str, Any]) -> OidcSettings:
    """Stored or posted settings as one frozen object.

    Raises:
        BadRequest: the text names the item.
    """
    value = values_of(ITEMS, given)
    issuer = value["oidc_endpoint"].rstrip("/").removesuffix("/.well-known/openid-configuration")
    parts = _url(issuer)
    if not value["oidc_client_id"]:
        raise BadRequest("oidc_client_id cannot be empty")
    scope = (value["oidc_scope"] or "openid profile email").replace(",", " ")
    if "openid" not in scope.split():
        raise BadRequest("oidc_scope must hold openid")
    return OidcSettings(
        label=value["oidc_name"] or str(parts.hostname),
        issuer=issuer,
        client_id=value["oidc_client_id"],
        client_secret=value["oidc_client_secret"],
        scope=scope,
        verify=value["oidc_verify_cert"],
        ca=value["oidc_ca"],
        auto_onboard=value["oidc_auto_onboard"],
        user_claim=value["oidc_user_claim"] or "preferred_username",
        groups_claim=value["oidc_groups_claim"],
        admin_group=value["oidc_admin_group"],
        group_filter=_pattern(value["oidc_group_filter"]),
        extra=_extra(value["oidc_extra_redirect_parms"] or "{}"),
        logout=value["oidc_logout"],
    )


def _url(issuer: str) -> SplitResult:
    try:
        parts = urlsplit(issuer)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or len(issuer) > _MAX_ISSUER:
        raise BadRequest("oidc_endpoint must be the provider's issuer, such as https://login.example.com/realms/main")
    return parts


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
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise BadRequest("oidc_extra_redirect_parms must be a JSON object of texts")
    return tuple(given.items())
